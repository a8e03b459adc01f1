"""channel of a claim"""

import sqlalchemy as sa
from alembic import op

revision = "f60b92a7d148"
down_revision = "d91e3b5f7a02"


def upgrade():
    op.add_column("claims", sa.Column("channel", sa.String))


def downgrade():
    pass
