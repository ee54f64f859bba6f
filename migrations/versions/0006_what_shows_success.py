"""What people marked as showing success, and what a success classifier made of an episode

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("annotations", sa.Column("shows_success", sa.Boolean(), nullable=True))
    op.add_column("episodes", sa.Column("classifier_success", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("episodes", "classifier_success")
    op.drop_column("annotations", "shows_success")
