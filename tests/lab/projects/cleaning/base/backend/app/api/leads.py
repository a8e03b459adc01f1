"""People who want their home cleaned."""

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.infra.db import session
from app.models import Lead

router = APIRouter(prefix="/v1")


class NewLead(BaseModel):
    name: str = Field(min_length=1, max_length=120)
    phone: str = Field(min_length=3, max_length=40)


def shown(lead: Lead) -> dict:
    return {"id": lead.id, "name": lead.name, "phone": lead.phone, "created_at": lead.created_at.isoformat()}


@router.post("/leads", status_code=201)
async def write(new: NewLead, database: AsyncSession = Depends(session)) -> dict:
    lead = Lead(**new.model_dump())
    database.add(lead)
    await database.commit()
    await database.refresh(lead)
    return shown(lead)


@router.get("/leads/{number}")
async def lead(number: int, database: AsyncSession = Depends(session)) -> dict:
    found = await database.get(Lead, number)
    if not found:
        raise HTTPException(status_code=404, detail=f"no lead {number}")
    return shown(found)
