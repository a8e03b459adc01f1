"""region of a claim"""

import sqlalchemy as sa
from alembic import op

revision = "1b6e0fa4d273"
down_revision = "d91e3b5f7a02"


def upgrade():
    op.add_column("claims", sa.Column("region", sa.String))


def downgrade():
    op.drop_column("claims", "region")
