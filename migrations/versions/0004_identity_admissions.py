"""Data of another identity that an engineer took into training

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity_admissions",
        sa.Column("admission_id", sa.UUID(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("identity_sha256", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("admission_id", name=op.f("pk_identity_admissions")),
        sa.UniqueConstraint(
            "task", "identity_sha256", name=op.f("uq_identity_admissions_task_identity_sha256")
        ),
    )


def downgrade() -> None:
    op.drop_table("identity_admissions")
