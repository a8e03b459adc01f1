"""audit trail"""

import sqlalchemy as sa
from alembic import op

revision = "b4a90d1c62ef"
down_revision = "8d2f6a41c3b7"


def upgrade():
    with op.get_context().autocommit_block():
        op.add_column("leads", sa.Column("audited_at", sa.DateTime(timezone=True)))
    # A table that staging has and production never had.
    op.execute("UPDATE leads SET audited_at = old.audited_at FROM old_audit AS old WHERE old.lead_id = leads.id")


def downgrade():
    op.drop_column("leads", "audited_at")
