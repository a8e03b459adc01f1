"""rewrites every claim; MARB_MIGRATION_SECONDS says how long it takes at least (10)"""

import os

import sqlalchemy as sa
from alembic import op

revision = "c94a718e3f50"
down_revision = "d91e3b5f7a02"


def upgrade():
    op.add_column("claims", sa.Column("checksum", sa.String))
    op.execute("UPDATE claims SET checksum = md5(reference || amount_cents)")
    seconds = float(os.getenv("MARB_MIGRATION_SECONDS", "10"))
    op.execute(sa.text("SELECT pg_sleep(:seconds)").bindparams(sa.bindparam("seconds", seconds, literal_execute=True)))


def downgrade():
    op.drop_column("claims", "checksum")
