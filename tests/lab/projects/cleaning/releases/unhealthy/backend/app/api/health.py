"""Whether the service lives, and whether it can do its work."""

import logging
import socket
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Response
from sqlalchemy import text

from app import __version__
from app.heartbeat import heartbeat
from app.infra.db import engine

router = APIRouter()
log = logging.getLogger("health")
INSTANCE = socket.gethostname()
HEADS = sorted(ScriptDirectory.from_config(Config(Path(__file__).parents[2] / "alembic.ini")).get_heads())


@router.get("/healthz")
async def healthz(response: Response) -> dict:
    log.error("the payment service does not answer: connection to payments:8443 refused")
    response.status_code = 503
    return {"status": "unhealthy", "version": __version__, "instance": INSTANCE}


@router.get("/readyz")
async def readyz(response: Response) -> dict:
    checks = [await asked(name, check) for name, check in (("db", db), ("migrations", migrations), ("jobs", jobs))]
    ok = all(check["ok"] for check in checks)
    if not ok:
        response.status_code = 503
    return {"ok": ok, "checks": checks, "version": __version__, "instance": INSTANCE}


async def asked(name: str, check) -> dict:
    try:
        return {"name": name, **await check()}
    except Exception as error:  # noqa: BLE001  (whatever went wrong, the check has not passed)
        return {"name": name, "ok": False, "error": type(error).__name__}


async def db() -> dict:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return {"ok": True}


async def migrations() -> dict:
    async with engine.connect() as connection:
        current = sorted((await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars())
    return {"ok": current == HEADS, "current": current, "head": HEADS}


async def jobs() -> dict:
    return await heartbeat()
