from alembic import context
from sqlalchemy import create_engine

from app.models import Base
from app.settings import settings

# The same database, without the event loop.
URL = settings.database_url.replace("+asyncpg", "+psycopg")


def offline() -> None:
    context.configure(url=URL, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def online() -> None:
    with create_engine(URL).connect() as connection:
        # A revision is a transaction: what has been done stays done when a later one fails.
        context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    offline()
else:
    online()
