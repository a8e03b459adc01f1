"""how many words a notebook has"""

import sqlalchemy as sa
from alembic import op

revision = "9b30d6f4e1a8"
down_revision = "4e8a17c20b5d"


def upgrade():
    op.add_column("notebooks", sa.Column("words", sa.Integer))


def downgrade():
    op.drop_column("notebooks", "words")
