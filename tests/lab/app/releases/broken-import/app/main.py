"""The API."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app import __version__
from app.api import claims, fraud, health, statistics
from app.config.settings import settings

app = FastAPI(title="mARB", version=__version__, debug=settings.debug)
app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"])
for part in (health, claims, statistics, fraud):
    app.include_router(part.router, prefix="/api/v1")
