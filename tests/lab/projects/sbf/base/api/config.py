"""The settings, from the environment. What must be there and is not stops the start."""

import os
from dataclasses import dataclass
from urllib.parse import quote


class Missing(Exception):
    """A setting that must be there is not."""


def required(name: str) -> str:
    value = os.getenv(name)
    if not value:
        raise Missing(f"{name} is not set: see .env.example")
    return value


def database_url() -> str:
    """DATABASE_URL, or what the five variables make of it."""
    if url := os.getenv("DATABASE_URL"):
        return url.replace("postgresql://", "postgresql+psycopg://", 1)
    user, password = quote(required("DB_USER"), safe=""), quote(required("DB_PASSWORD"), safe="")
    return f"postgresql+psycopg://{user}:{password}@{required('DB_HOST')}:{os.getenv('DB_PORT', '5432')}/{required('DB_NAME')}"


@dataclass(frozen=True)
class Settings:
    database_url: str
    redis_url: str
    jwt_secret: str
    jwt_algorithm: str
    jwt_expiration_hours: int
    enable_caching: bool
    log_level: str
    start_seconds: float


settings = Settings(
    database_url=database_url(),
    redis_url=required("REDIS_URL"),
    jwt_secret=required("JWT_SECRET"),
    jwt_algorithm=os.getenv("JWT_ALGORITHM", "HS256"),
    jwt_expiration_hours=int(os.getenv("JWT_EXPIRATION_HOURS", "24")),
    enable_caching=os.getenv("ENABLE_CACHING", "true").lower() == "true",
    log_level=os.getenv("LOG_LEVEL", "INFO"),
    start_seconds=float(os.getenv("START_SECONDS", "2")),
)
