"""claims"""

import sqlalchemy as sa
from alembic import op

revision = "3f1a9c0d7e21"
down_revision = None


def upgrade():
    op.create_table(
        "claims",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reference", sa.String, nullable=False),
        sa.Column("patient", sa.String, nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
    )


def downgrade():
    op.drop_table("claims")
