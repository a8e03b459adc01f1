"""How many claims there are of each status."""

from fastapi import APIRouter, Depends
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.config.database import session
from app.models import Claim
from app.security import authenticated

router = APIRouter(dependencies=[Depends(authenticated)])


@router.get("/statistics")
def statistics(database: Session = Depends(session)) -> dict:
    return {status: count for status, count in database.execute(select(Claim.status, func.count()).group_by(Claim.status))}
