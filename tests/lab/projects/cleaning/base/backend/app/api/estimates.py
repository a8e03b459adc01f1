"""What a cleaning costs."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app import __version__

router = APIRouter(prefix="/v1")
FACTORS = {"standard": 1.0, "deep": 1.6, "move_out": 1.9}


class Rooms(BaseModel):
    beds: int = Field(ge=0, le=20)
    baths: int = Field(ge=0, le=20)
    cleaning_type: Literal["standard", "deep", "move_out"]


@router.post("/estimate")
async def estimate(rooms: Rooms) -> dict:
    price = (60 + 25 * rooms.beds + 30 * rooms.baths) * FACTORS[rooms.cleaning_type]
    return {"price": round(price, 2), "currency": "EUR", "version": __version__}
