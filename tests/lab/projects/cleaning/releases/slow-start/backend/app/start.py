"""What is done before the first request is answered."""

import asyncio
import logging

SECONDS = 12
log = logging.getLogger("start")


async def before_serving() -> None:
    log.info("loading the price model")
    await asyncio.sleep(SECONDS)
    log.info("the price model is loaded")
