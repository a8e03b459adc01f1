"""risk band"""

from alembic import op

revision = "2024_risk_band"
down_revision = "d91e3b5f7a02"


def upgrade():
    op.execute(
        "ALTER TABLE claims ADD COLUMN risk_band varchar NOT NULL "
        "GENERATED ALWAYS AS (CASE WHEN amount_cents >= 100000 THEN 'high' ELSE 'low' END) STORED"
    )


def downgrade():
    op.drop_column("claims", "risk_band")
