"""The API."""

import logging
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request

from app import __version__, health, notebooks
from app.start import before_serving
from config import settings

logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s %(message)s")


@asynccontextmanager
async def lifespan(_: FastAPI):
    await before_serving()
    yield


app = FastAPI(title="SBF", version=__version__, lifespan=lifespan)
app.include_router(health.router, prefix="/api/v1")
app.include_router(notebooks.router, prefix="/api/v1")


@app.middleware("http")
async def says_who_answers(request: Request, call_next):
    answer = await call_next(request)
    answer.headers["X-Instance"] = health.INSTANCE
    answer.headers["X-Version"] = __version__
    return answer
