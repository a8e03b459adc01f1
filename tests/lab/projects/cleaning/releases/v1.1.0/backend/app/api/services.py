"""What can be had, and how it changes the price."""

from fastapi import APIRouter

from app.api.estimates import FACTORS

router = APIRouter(prefix="/v1")


@router.get("/services")
async def services() -> list[dict]:
    return [{"cleaning_type": name, "factor": factor} for name, factor in FACTORS.items()]
