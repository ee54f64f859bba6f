"""What the next steps of an episode must be like: later than the last one, and of its shape

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("episodes", sa.Column("last_t_robot_ns", sa.BigInteger(), nullable=True))
    op.add_column("episodes", sa.Column("state_shape", sa.Text(), nullable=True))
    op.add_column("episodes", sa.Column("action_columns", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in ("action_columns", "state_shape", "last_t_robot_ns"):
        op.drop_column("episodes", name)
