"""The connection to PostgreSQL, and the tables."""

from datetime import datetime

from sqlalchemy import ARRAY, DateTime, String, Text, create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from config import settings

engine = create_engine(settings.database_url, pool_pre_ping=True, connect_args={"connect_timeout": 3})


class Base(DeclarativeBase):
    """What every table is declared on."""


class Notebook(Base):
    __tablename__ = "notebooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(80), index=True)
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    words: Mapped[int | None] = mapped_column()
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(40)), server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


def session():
    """A session a request, given back when it has been answered."""
    with Session(engine) as found:
        yield found
