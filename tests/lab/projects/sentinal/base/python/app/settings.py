"""The settings, from the environment. What must be there and is not stops the start."""

import os
import socket
from dataclasses import dataclass


class Missing(Exception):
    """A setting that must be there is not."""


def required(name: str) -> str:
    value = os.getenv(name)
    if not value:
        raise Missing(f"{name} is not set: see python/.env.example")
    return value


@dataclass(frozen=True)
class Settings:
    jwt_secret_key: str
    jwt_refresh_secret_key: str
    redis_password: str
    sentinels: list[tuple[str, int]]
    instance_id: str
    login_limit: int
    login_window_seconds: int
    cors_origins: list[str]
    traces: str
    log_level: str


settings = Settings(
    jwt_secret_key=required("JWT_SECRET_KEY"),
    jwt_refresh_secret_key=required("JWT_REFRESH_SECRET_KEY"),
    redis_password=required("REDIS_PASSWORD"),
    sentinels=[
        (name, 26379)
        for name in os.getenv("REDIS_SENTINELS", "redis-sentinel-1,redis-sentinel-2,redis-sentinel-3").split(",")
    ],
    instance_id=os.getenv("INSTANCE_ID", socket.gethostname()),
    login_limit=int(os.getenv("LOGIN_LIMIT", "10")),
    login_window_seconds=int(os.getenv("LOGIN_WINDOW_SECONDS", "60")),
    cors_origins=os.getenv("CORS_ORIGINS", "https://localhost").split(","),
    traces=os.getenv("TRACES", "http://jaeger:4318/v1/traces"),
    log_level=os.getenv("LOG_LEVEL", "INFO"),
)
