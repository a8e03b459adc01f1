"""tags of a notebook, from the words in its title that begin with #"""

import sqlalchemy as sa
from alembic import op

revision = "abc123"
down_revision = "9b30d6f4e1a8"


def upgrade():
    op.add_column("notebooks", sa.Column("tags", sa.ARRAY(sa.String(40)), nullable=False, server_default="{}"))
    op.execute("""
        UPDATE notebooks SET tags = ARRAY(SELECT m[1] FROM regexp_matches(title, '#([a-z0-9]+)', 'g') AS m)
        WHERE title LIKE '%#%'
    """)


def downgrade():
    op.drop_column("notebooks", "tags")
