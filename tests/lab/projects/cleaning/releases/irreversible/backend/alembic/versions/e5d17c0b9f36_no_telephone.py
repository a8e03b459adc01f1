"""no telephone"""

from alembic import op

revision = "e5d17c0b9f36"
down_revision = "8d2f6a41c3b7"


def upgrade():
    op.alter_column("leads", "phone", server_default="")
    op.execute("UPDATE leads SET phone = ''")


def downgrade():
    raise NotImplementedError("the telephone numbers are gone")
