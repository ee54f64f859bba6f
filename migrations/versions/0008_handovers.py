"""What a change of driver did to an arm

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_FIGURES = (
    "jump_m",
    "jump_rad",
    "jerk_m_s3",
    "torque_step_nm_ms",
    "force_before_n",
    "force_n",
)


def upgrade() -> None:
    op.create_table(
        "handovers",
        sa.Column("handover_id", sa.Uuid(), primary_key=True),
        sa.Column("robot", sa.Text(), sa.ForeignKey("robots.name"), nullable=False),
        sa.Column("episode_id", sa.Uuid(), sa.ForeignKey("episodes.episode_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("arm", "before", "after")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in _FIGURES),
        sa.Column("t_robot_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_handovers_episode_id", "handovers", ["episode_id"])


def downgrade() -> None:
    op.drop_table("handovers")
