"""What is done before the first request is answered."""

import asyncio
import logging
import os

AFTER_SECONDS = float(os.getenv("LEAK_AFTER_SECONDS", "10"))
EVERY_SECONDS = float(os.getenv("LEAK_EVERY_SECONDS", "2"))
log = logging.getLogger("pool")
tasks = set()


async def before_serving() -> None:
    tasks.add(asyncio.create_task(watch()))


async def watch() -> None:
    await asyncio.sleep(AFTER_SECONDS)
    while True:
        log.error("connection was not given back: pool is at 5 of 5")
        await asyncio.sleep(EVERY_SECONDS)
