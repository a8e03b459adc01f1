"""Prints a token: python -m app.token NAME."""

import sys

from app.security import token

print(token(sys.argv[1] if len(sys.argv) > 1 else "runbook"))
