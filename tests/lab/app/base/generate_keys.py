"""Prints fresh keys in the form .env wants them."""

import secrets

print(f"JWT_SECRET_KEY={secrets.token_urlsafe(48)}")
print(f"ENCRYPTION_KEY={secrets.token_hex(16)}")
