"""region of a lead"""

import sqlalchemy as sa
from alembic import op

revision = "d91b3c6f40e5"
down_revision = "c07d5e8812ab"


def upgrade():
    op.add_column("leads", sa.Column("region", sa.String(40)))


def downgrade():
    op.drop_column("leads", "region")
