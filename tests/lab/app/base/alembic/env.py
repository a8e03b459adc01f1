from alembic import context
from sqlalchemy import create_engine

import app.models  # noqa: F401  (declares the tables)
from app.config.database import Base
from app.config.settings import settings


def offline() -> None:
    context.configure(url=settings.database_url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def online() -> None:
    with create_engine(settings.database_url).connect() as connection:
        # A revision is a transaction: what has been done stays done when a later one fails.
        context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    offline()
else:
    online()
