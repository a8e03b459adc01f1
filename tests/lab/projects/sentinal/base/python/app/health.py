"""Whether this instance lives, and whether it can do its work."""

from fastapi import APIRouter, Response
from redis import RedisError

from app import __version__
from app.settings import settings
from app.store import redis

router = APIRouter(prefix="/health")
WHO = {"instance_id": settings.instance_id, "version": __version__}


@router.get("")
async def health(response: Response) -> dict:
    return {"status": "healthy", **WHO}


@router.get("/live")
async def live() -> dict:
    return {"status": "alive", **WHO}


@router.get("/ready")
def ready(response: Response) -> dict:
    checks = {"redis": store(), "model": "ok"}
    good = all(check == "ok" for check in checks.values())
    if not good:
        response.status_code = 503
    return {"status": "ready" if good else "not ready", "checks": checks, **WHO}


def store() -> str:
    try:
        redis.ping()
        return "ok"
    except RedisError as error:
        return f"error: {type(error).__name__}"
