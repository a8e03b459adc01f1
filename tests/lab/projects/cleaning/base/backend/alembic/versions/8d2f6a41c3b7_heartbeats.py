"""heartbeats of the jobs"""

import sqlalchemy as sa
from alembic import op

revision = "8d2f6a41c3b7"
down_revision = "5c1e0b7f9a24"


def upgrade():
    op.create_table(
        "job_heartbeats",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade():
    op.drop_table("job_heartbeats")
