"""currency of a claim"""

import sqlalchemy as sa
from alembic import op

revision = "2c7f1ab5e384"
down_revision = "d91e3b5f7a02"


def upgrade():
    op.add_column("claims", sa.Column("currency", sa.String, nullable=False, server_default="EUR"))


def downgrade():
    op.drop_column("claims", "currency")
