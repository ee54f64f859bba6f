"""The limit profiles that were active in an episode

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    names = sa.ARRAY(sa.Text())
    column = sa.Column("limit_profiles", names, server_default=sa.text("'{}'"), nullable=False)
    op.add_column("episodes", column)


def downgrade() -> None:
    op.drop_column("episodes", "limit_profiles")
