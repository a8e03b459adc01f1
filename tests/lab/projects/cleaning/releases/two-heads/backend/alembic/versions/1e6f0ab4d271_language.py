"""language of a lead"""

import sqlalchemy as sa
from alembic import op

revision = "1e6f0ab4d271"
down_revision = "8d2f6a41c3b7"


def upgrade():
    op.add_column("leads", sa.Column("language", sa.String(5)))


def downgrade():
    op.drop_column("leads", "language")
