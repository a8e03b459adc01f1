"""referrer of a lead"""

import sqlalchemy as sa
from alembic import op

revision = "2f7a1bc5e382"
down_revision = "8d2f6a41c3b7"


def upgrade():
    op.add_column("leads", sa.Column("referrer", sa.String(200)))


def downgrade():
    op.drop_column("leads", "referrer")
