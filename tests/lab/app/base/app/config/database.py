"""The connection to PostgreSQL."""

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Session

from app.config.settings import settings

engine = create_engine(settings.database_url, pool_pre_ping=True, connect_args={"connect_timeout": 3})


class Base(DeclarativeBase):
    """What every table is declared on."""


def session():
    """A session a request, given back when it has been answered."""
    with Session(engine) as found:
        yield found
