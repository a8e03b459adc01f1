"""audit trail"""

import sqlalchemy as sa
from alembic import op

revision = "b83f60d2c9e7"
down_revision = "9b30d6f4e1a8"


def upgrade():
    with op.get_context().autocommit_block():
        op.add_column("notebooks", sa.Column("audited_at", sa.DateTime(timezone=True)))
    # A table that staging has and production never had.
    op.execute("UPDATE notebooks SET audited_at = old.audited_at FROM old_audit AS old WHERE old.id = notebooks.id")


def downgrade():
    op.drop_column("notebooks", "audited_at")
