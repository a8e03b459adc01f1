"""How long ago the job runner was last seen."""

from datetime import UTC, datetime

from sqlalchemy import select

from app.infra.db import sessions
from app.models import Heartbeat
from app.settings import settings


async def heartbeat() -> dict:
    ttl = int(settings.job_heartbeat_ttl_seconds)
    async with sessions() as session:
        found = await session.scalar(select(Heartbeat).where(Heartbeat.name == "scheduler"))
    if found is None:
        return {"ok": False, "last_heartbeat": None, "age_seconds": None, "ttl_seconds": ttl}
    age = (datetime.now(UTC) - found.beat_at).total_seconds()
    return {"ok": age <= ttl, "last_heartbeat": found.beat_at.isoformat(), "age_seconds": round(age, 1), "ttl_seconds": ttl}
