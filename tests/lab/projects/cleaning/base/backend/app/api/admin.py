"""For the people who run it: behind a name and a password."""

import secrets

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.leads import shown
from app.heartbeat import heartbeat
from app.infra.db import session
from app.models import Lead
from app.settings import settings

basic = HTTPBasic(realm="admin")


def admin(given: HTTPBasicCredentials = Depends(basic)) -> str:
    name = secrets.compare_digest(given.username.encode(), settings.admin_user.encode())
    password = secrets.compare_digest(given.password.encode(), settings.admin_pass.encode())
    if not (name and password):
        raise HTTPException(status_code=401, headers={"WWW-Authenticate": "Basic"})
    return given.username


router = APIRouter(prefix="/v1/admin", dependencies=[Depends(admin)])


@router.get("/jobs/status")
async def jobs_status() -> dict:
    return {"jobs": [{"name": "scheduler", **await heartbeat()}]}


@router.get("/leads")
async def leads(database: AsyncSession = Depends(session)) -> dict:
    newest = await database.scalars(select(Lead).order_by(Lead.id.desc()).limit(50))
    return {"count": await database.scalar(select(func.count(Lead.id))), "leads": [shown(lead) for lead in newest]}


@router.delete("/leads/{number}", status_code=204)
async def forget(number: int, database: AsyncSession = Depends(session)) -> Response:
    found = await database.get(Lead, number)
    if found:
        await database.delete(found)
        await database.commit()
    return Response(status_code=204)
