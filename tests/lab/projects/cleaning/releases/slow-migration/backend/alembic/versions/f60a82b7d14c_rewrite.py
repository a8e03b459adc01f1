"""every lead is written anew"""

import os

from alembic import op

revision = "f60a82b7d14c"
down_revision = "8d2f6a41c3b7"
SECONDS = float(os.getenv("MIGRATION_SECONDS", "10"))


def upgrade():
    op.execute("LOCK TABLE leads IN ACCESS EXCLUSIVE MODE")
    op.execute(f"SELECT pg_sleep({SECONDS})")
    op.execute("UPDATE leads SET name = trim(name)")


def downgrade():
    pass
