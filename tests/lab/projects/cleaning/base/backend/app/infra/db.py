"""The connection to PostgreSQL."""

from collections.abc import AsyncIterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.settings import settings

engine = create_async_engine(settings.database_url, pool_pre_ping=True, connect_args={"timeout": 3})
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def get_session_factory() -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """What makes sessions, once the database has answered."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    yield sessions


async def session() -> AsyncIterator[AsyncSession]:
    """A session a request, given back when it has been answered."""
    async with sessions() as found:
        yield found
