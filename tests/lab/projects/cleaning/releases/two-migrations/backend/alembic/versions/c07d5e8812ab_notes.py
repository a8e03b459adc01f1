"""notes of a lead"""

import sqlalchemy as sa
from alembic import op

revision = "c07d5e8812ab"
down_revision = "8d2f6a41c3b7"


def upgrade():
    op.add_column("leads", sa.Column("notes", sa.Text))


def downgrade():
    op.drop_column("leads", "notes")
