"""status of a claim"""

import sqlalchemy as sa
from alembic import op

revision = "c2a6f8104b9d"
down_revision = "84b7d2e5c613"


def upgrade():
    op.add_column("claims", sa.Column("status", sa.String, nullable=False, server_default="open"))
    op.create_index("ix_claims_status", "claims", ["status"])


def downgrade():
    op.drop_index("ix_claims_status")
    op.drop_column("claims", "status")
