"""providers"""

import sqlalchemy as sa
from alembic import op

revision = "84b7d2e5c613"
down_revision = "3f1a9c0d7e21"


def upgrade():
    op.create_table(
        "providers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
    )
    op.add_column("claims", sa.Column("provider_id", sa.Integer, sa.ForeignKey("providers.id")))


def downgrade():
    op.drop_column("claims", "provider_id")
    op.drop_table("providers")
