"""The settings, from the environment and from .env beside the code. What must be there and is not stops the start."""

import os
from dataclasses import dataclass
from pathlib import Path

from dotenv import load_dotenv

load_dotenv(Path(__file__).resolve().parents[2] / ".env")


class Missing(Exception):
    """A setting that must be there is not."""


def required(name: str) -> str:
    value = os.getenv(name)
    if not value:
        raise Missing(f"{name} is not set: see .env.example")
    return value


def truth(name: str, default: bool) -> bool:
    return os.getenv(name, str(default)).lower() in ("1", "true", "yes")


@dataclass(frozen=True)
class Settings:
    database_url: str
    jwt_secret_key: str
    encryption_key: str
    environment: str
    debug: bool
    require_auth: bool
    cors_origins: list[str]
    redis_host: str
    redis_port: int
    celery_broker_url: str
    celery_result_backend: str


settings = Settings(
    database_url=required("DATABASE_URL"),
    jwt_secret_key=required("JWT_SECRET_KEY"),
    encryption_key=required("ENCRYPTION_KEY"),
    environment=os.getenv("ENVIRONMENT", "development"),
    debug=truth("DEBUG", False),
    require_auth=truth("REQUIRE_AUTH", True),
    cors_origins=os.getenv("CORS_ORIGINS", "").split(","),
    redis_host=os.getenv("REDIS_HOST", "localhost"),
    redis_port=int(os.getenv("REDIS_PORT", "6379")),
    celery_broker_url=required("CELERY_BROKER_URL"),
    celery_result_backend=required("CELERY_RESULT_BACKEND"),
)
