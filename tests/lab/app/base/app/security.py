"""Tokens, and the encryption of what names a patient."""

from base64 import urlsafe_b64encode
from hashlib import sha256

import jwt
from cryptography.fernet import Fernet
from fastapi import Header, HTTPException

from app.config.settings import settings

_fernet = Fernet(urlsafe_b64encode(sha256(settings.encryption_key.encode()).digest()))


def encrypted(text: str) -> str:
    return _fernet.encrypt(text.encode()).decode()


def decrypted(text: str) -> str:
    """Fails when the text was encrypted with another key."""
    return _fernet.decrypt(text.encode()).decode()


def token(name: str) -> str:
    return jwt.encode({"sub": name}, settings.jwt_secret_key, algorithm="HS256")


def authenticated(authorization: str = Header(default="")) -> str:
    """Who asks. Everybody may when REQUIRE_AUTH is false."""
    if not settings.require_auth:
        return "anyone"
    try:
        return jwt.decode(authorization.removeprefix("Bearer "), settings.jwt_secret_key, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(status_code=401, detail="a valid token is required") from error
