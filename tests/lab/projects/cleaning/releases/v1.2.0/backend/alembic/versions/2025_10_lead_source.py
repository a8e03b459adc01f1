"""where a lead comes from"""

import sqlalchemy as sa
from alembic import op

revision = "2025_10_lead_source"
down_revision = "8d2f6a41c3b7"


def upgrade():
    op.add_column("leads", sa.Column("source", sa.String(40), nullable=False, server_default="web"))


def downgrade():
    op.drop_column("leads", "source")
