"""The settings, from the environment. What must be there and is not stops the start."""

import os
from dataclasses import dataclass, field


class Missing(Exception):
    """A setting that must be there is not."""


def required(name: str):
    def value() -> str:
        found = os.getenv(name)
        if not found:
            raise Missing(f"{name} is not set: see .env.example")
        return found

    return field(default_factory=value)


def optional(name: str, default: str):
    return field(default_factory=lambda: os.getenv(name, default))


@dataclass(frozen=True)
class Settings:
    database_url: str = required("DATABASE_URL")
    admin_user: str = required("ADMIN_USER")
    admin_pass: str = required("ADMIN_PASS")
    stripe_secret_key: str = required("STRIPE_SECRET_KEY")
    booking_link_secret: str = required("BOOKING_LINK_SECRET")
    app_env: str = optional("APP_ENV", "dev")
    log_level: str = optional("LOG_LEVEL", "INFO")
    job_heartbeat_ttl_seconds: str = optional("JOB_HEARTBEAT_TTL_SECONDS", "180")


settings = Settings()
