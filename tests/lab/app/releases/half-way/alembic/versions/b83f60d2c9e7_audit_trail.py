"""audit trail"""

import sqlalchemy as sa
from alembic import op

revision = "b83f60d2c9e7"
down_revision = "d91e3b5f7a02"


def upgrade():
    with op.get_context().autocommit_block():
        op.add_column("claims", sa.Column("audited_at", sa.DateTime))
        op.execute("CREATE INDEX CONCURRENTLY ix_claims_audited_at ON claims (audited_at)")
    # A table that staging has and production never had.
    op.execute("UPDATE claims SET audited_at = old.audited_at FROM old_audit AS old WHERE old.claim_id = claims.id")


def downgrade():
    op.drop_index("ix_claims_audited_at")
    op.drop_column("claims", "audited_at")
