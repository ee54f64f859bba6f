"""How many steps of an episode can be trained on

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "episodes",
        sa.Column("trainable_steps", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    # Until now a step without a picture was never recorded.
    op.execute("UPDATE episodes SET trainable_steps = coalesce(steps, 0)")


def downgrade() -> None:
    op.drop_column("episodes", "trainable_steps")
