"""drops the provider of a claim"""

from alembic import op

revision = "e5d04c1b8f36"
down_revision = "d91e3b5f7a02"


def upgrade():
    op.drop_column("claims", "provider_id")
    op.drop_table("providers")


def downgrade():
    raise NotImplementedError("which provider a claim had is gone")
