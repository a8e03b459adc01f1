"""The job runner: it says every two seconds that it lives."""

import asyncio
import logging
import signal
from datetime import UTC, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.infra.db import engine
from app.models import Heartbeat
from app.settings import settings

EVERY_SECONDS = 2
log = logging.getLogger("jobs")


async def beat() -> None:
    now = {"beat_at": datetime.now(UTC)}
    async with engine.begin() as connection:
        statement = insert(Heartbeat).values(name="scheduler", **now)
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=now))


async def run() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    log.info("job runner %s", __version__)
    while not stopped.is_set():
        try:
            await beat()
        except (SQLAlchemyError, OSError) as cause:
            log.warning("no heartbeat: %s", type(cause).__name__)
        try:
            await asyncio.wait_for(stopped.wait(), EVERY_SECONDS)
        except TimeoutError:
            pass


if __name__ == "__main__":
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(run())
