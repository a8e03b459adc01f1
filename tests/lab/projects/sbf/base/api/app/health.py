"""Whether the service lives, and whether what it depends on answers."""

import socket

from fastapi import APIRouter, Response
from redis import Redis, RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.database import engine
from config import settings

router = APIRouter()
redis = Redis.from_url(settings.redis_url, socket_connect_timeout=2, socket_timeout=2)
INSTANCE = socket.gethostname()
WHO = {"version": __version__, "instance": INSTANCE}


@router.get("/health")
async def health(response: Response) -> dict:
    return {"status": "healthy", **WHO}


@router.get("/health/live")
async def live() -> dict:
    return {"status": "alive", **WHO}


@router.get("/health/ready")
def ready(response: Response) -> dict:
    checks = {"database": database(), "redis": cache()}
    good = all(check == "ok" for check in checks.values())
    if not good:
        response.status_code = 503
    return {"status": "ready" if good else "not ready", "checks": checks, **WHO}


def database() -> str:
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1 FROM alembic_version"))
        return "ok"
    except SQLAlchemyError as error:
        return f"error: {type(error).__name__}"


def cache() -> str:
    try:
        redis.ping()
        return "ok"
    except RedisError as error:
        return f"error: {type(error).__name__}"
