"""Links with which a customer books what was estimated."""

import hmac

from fastapi import APIRouter

from app.settings import settings

router = APIRouter(prefix="/v1")


@router.post("/leads/{number}/booking-link", status_code=201)
async def link(number: int) -> dict:
    signature = hmac.digest(settings.booking_link_secret.encode(), str(number).encode(), "sha256").hex()
    return {"path": f"/book/{number}?signature={signature}"}
