"""amount in cents"""

import sqlalchemy as sa
from alembic import op

revision = "d91e3b5f7a02"
down_revision = "c2a6f8104b9d"


def upgrade():
    op.add_column("claims", sa.Column("amount_cents", sa.BigInteger))
    op.execute("UPDATE claims SET amount_cents = amount * 100")
    op.alter_column("claims", "amount_cents", nullable=False)
    op.drop_column("claims", "amount")


def downgrade():
    op.add_column("claims", sa.Column("amount", sa.Numeric(12, 2)))
    op.execute("UPDATE claims SET amount = amount_cents / 100.0")
    op.alter_column("claims", "amount", nullable=False)
    op.drop_column("claims", "amount_cents")
