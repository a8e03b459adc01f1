//! Alembic.
