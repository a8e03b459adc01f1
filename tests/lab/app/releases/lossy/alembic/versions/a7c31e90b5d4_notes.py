"""notes of a claim"""

import sqlalchemy as sa
from alembic import op

revision = "a7c31e90b5d4"
down_revision = "d91e3b5f7a02"


def upgrade():
    op.add_column("claims", sa.Column("notes", sa.Text, nullable=False, server_default=""))


def downgrade():
    op.drop_column("claims", "notes")
