"""What is done before the first request is answered."""

import asyncio
import logging
import os

log = logging.getLogger("start")


async def before_serving() -> None:
    asyncio.get_running_loop().call_later(1, warm_up)


def warm_up() -> None:
    log.critical("cannot warm up the cache: price list /app/prices.json is missing")
    os._exit(1)
