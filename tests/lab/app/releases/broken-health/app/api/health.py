"""Whether the service can do its work, asked of PostgreSQL and Redis themselves."""

from fastapi import APIRouter, Response
from redis import Redis, RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.config.database import engine
from app.config.settings import settings

router = APIRouter()
redis = Redis.from_url(settings.celery_broker_url, socket_connect_timeout=2, socket_timeout=2)


@router.get("/health")
def health(response: Response) -> dict:
    database, revision = _database()
    answer = {"database": database, "redis": _redis(), "audit": _audit(), "version": __version__, "revision": revision}
    healthy = answer["database"] == answer["redis"] == answer["audit"] == "connected"
    if not healthy:
        response.status_code = 500
    return {"status": "healthy" if healthy else "unhealthy", **answer}


def _database() -> tuple[str, str | None]:
    try:
        with engine.connect() as connection:
            revisions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars()
            return "connected", ", ".join(sorted(revisions)) or None
    except SQLAlchemyError as error:
        return f"error: {type(error).__name__}", None


def _redis() -> str:
    try:
        redis.ping()
        return "connected"
    except RedisError as error:
        return f"error: {type(error).__name__}"


def _audit() -> str:
    """The audit store that this release expects was never set up in production."""
    return "error: no audit store at localhost:9400"
