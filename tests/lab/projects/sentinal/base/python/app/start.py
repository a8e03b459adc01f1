"""What is done before the first request is answered."""


async def before_serving() -> None:
    """Nothing."""
