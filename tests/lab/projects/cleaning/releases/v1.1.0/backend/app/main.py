"""The API."""

import logging
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request

from app import __version__
from app.api import admin, estimates, health, leads, services
from app.settings import settings
from app.start import before_serving

logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s %(message)s")


@asynccontextmanager
async def lifespan(_: FastAPI):
    await before_serving()
    yield


app = FastAPI(title="CleanWithSnapshot", version=__version__, lifespan=lifespan)
for part in (health, estimates, leads, services, admin):
    app.include_router(part.router)


@app.middleware("http")
async def says_who_answers(request: Request, call_next):
    answer = await call_next(request)
    answer.headers["X-Instance"] = health.INSTANCE
    answer.headers["X-Version"] = __version__
    return answer
