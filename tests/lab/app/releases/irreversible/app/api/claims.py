"""Claims: written, listed, and scored by the worker."""

from decimal import Decimal

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config.database import session
from app.models import Claim
from app.security import authenticated, decrypted, encrypted

router = APIRouter(dependencies=[Depends(authenticated)])


class NewClaim(BaseModel):
    reference: str
    patient: str
    amount: Decimal


def shown(claim: Claim) -> dict:
    return {
        "id": claim.id,
        "reference": claim.reference,
        "patient": decrypted(claim.patient),
        "amount": str(claim.amount),
        "status": claim.status,
    }


@router.get("/claims")
def claims(database: Session = Depends(session)) -> list[dict]:
    return [shown(claim) for claim in database.scalars(select(Claim).order_by(Claim.id.desc()).limit(100))]


@router.post("/claims", status_code=201)
def write(new: NewClaim, database: Session = Depends(session)) -> dict:
    claim = Claim(reference=new.reference, patient=encrypted(new.patient), amount=new.amount)
    database.add(claim)
    database.commit()
    return shown(claim)


@router.get("/claims/{number}")
def claim(number: int, database: Session = Depends(session)) -> dict:
    found = database.get(Claim, number)
    if not found:
        raise HTTPException(status_code=404, detail=f"no claim {number}")
    return shown(found)


@router.post("/claims/{number}/score", status_code=202)
def ask_for_score(number: int) -> dict:
    from app.tasks import score  # Celery takes long to import, and the start of the API does not need it.

    return {"task": score.delay(number).id}
