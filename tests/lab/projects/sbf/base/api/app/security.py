"""Who asks."""

from datetime import UTC, datetime, timedelta

import jwt
from fastapi import Header, HTTPException

from config import settings


def token(name: str) -> str:
    expires = datetime.now(UTC) + timedelta(hours=settings.jwt_expiration_hours)
    return jwt.encode({"sub": name, "exp": expires}, settings.jwt_secret, algorithm=settings.jwt_algorithm)


def authenticated(authorization: str = Header(default="")) -> str:
    try:
        given = authorization.removeprefix("Bearer ")
        return jwt.decode(given, settings.jwt_secret, algorithms=[settings.jwt_algorithm])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(status_code=401, detail="a valid token is required") from error
