"""Logging in: ten attempts a minute from one address, whichever instance is asked."""

import secrets
from datetime import UTC, datetime, timedelta

import jwt
from fastapi import APIRouter, Header, HTTPException, Request
from pydantic import BaseModel

from app.settings import settings
from app.store import redis

router = APIRouter(prefix="/api/auth")
USERS = {"analyst@sentinal.ai": "SecurePass123!"}


class Credentials(BaseModel):
    email: str
    password: str


def limited(request: Request) -> None:
    """Counts in Redis, so that the instances count together."""
    address = request.headers.get("X-Forwarded-For", request.client.host).split(",")[0].strip()
    key = f"login:{address}"
    attempts = redis.incr(key)
    if attempts == 1:
        redis.expire(key, settings.login_window_seconds)
    if attempts > settings.login_limit:
        wait = max(redis.ttl(key), 1)
        raise HTTPException(429, "too many attempts", headers={"Retry-After": str(wait)})


def signed(name: str, key: str, hours: int) -> str:
    claims = {"sub": name, "exp": datetime.now(UTC) + timedelta(hours=hours), "jti": secrets.token_hex(8)}
    return jwt.encode(claims, key, algorithm="HS256")


@router.post("/login")
def login(credentials: Credentials, request: Request) -> dict:
    limited(request)
    if not secrets.compare_digest(USERS.get(credentials.email, ""), credentials.password) or not credentials.password:
        raise HTTPException(401, "wrong name or password")
    return {
        "access_token": signed(credentials.email, settings.jwt_secret_key, 1),
        "refresh_token": signed(credentials.email, settings.jwt_refresh_secret_key, 24),
        "token_type": "bearer",
    }


def authenticated(authorization: str = Header(default="")) -> str:
    """Who asks."""
    try:
        given = authorization.removeprefix("Bearer ")
        return jwt.decode(given, settings.jwt_secret_key, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "a valid token is required") from error
