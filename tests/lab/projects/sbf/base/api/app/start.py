"""What is done before the first request is answered."""

import asyncio

from config import settings


async def before_serving() -> None:
    """Loads what an API of this size loads."""
    await asyncio.sleep(settings.start_seconds)
