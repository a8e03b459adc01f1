"""The API."""

import logging
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app import __version__, analysis, health, login, measure
from app.settings import settings
from app.start import before_serving

logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s %(message)s")


@asynccontextmanager
async def lifespan(_: FastAPI):
    await before_serving()
    yield
    measure.flush()


app = FastAPI(title="Sentinal", version=__version__, lifespan=lifespan)
for part in (health, login, analysis, measure):
    app.include_router(part.router)
app.middleware("http")(measure.measured)
app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"], allow_headers=["*"])
