"""What people say a takeover is for training

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intervention_decisions",
        sa.Column("decision_id", sa.UUID(), nullable=False),
        sa.Column("intervention_id", sa.UUID(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("use", sa.String(length=16), nullable=False),
        sa.Column("by_default", sa.Boolean(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_intervention_decisions")),
    )
    for column in ("intervention_id", "episode_id"):
        op.create_index(
            op.f(f"ix_intervention_decisions_{column}"), "intervention_decisions", [column]
        )


def downgrade() -> None:
    op.drop_table("intervention_decisions")
