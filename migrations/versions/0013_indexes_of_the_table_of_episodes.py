"""Indexes from which the table of episodes is filtered, sorted and counted without reading it

What changes with every batch of a running episode (`stored_steps`) is in none of them, so that such
an update stays within its page.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FILTERED = [
    *("task", "robot", "purpose", "outcome", "failure_class", "excluded", "operator", "labeller"),
    *("interventions", "human_steps", "policy_version", "risk_max", "steps", "complete"),
    *("step_s", "ended_t_utc"),
]
_SORTED = {
    "interventions": ("interventions", []),
    "human_steps": ("human_steps", []),
    "steps": ("COALESCE(steps, '-1'::bigint)", ["steps"]),
    "policy_version": ("COALESCE(policy_version, '-1'::bigint)", ["policy_version"]),
    "risk": ("COALESCE(risk_max, '-1'::double precision)", ["risk_max"]),
}


def upgrade() -> None:
    op.drop_index("ix_episodes_started", "episodes")
    op.create_index(
        "ix_episodes_started",
        "episodes",
        ["started_t_utc", "episode_id"],
        postgresql_include=_FILTERED,
    )
    for name, (key, included) in _SORTED.items():
        op.create_index(
            f"ix_episodes_by_{name}",
            "episodes",
            [sa.text(key), "episode_id"],
            postgresql_include=included,
        )
    op.create_index(
        "ix_episodes_policy_versions", "episodes", ["policy_versions"], postgresql_using="gin"
    )
    op.create_index(
        "ix_episodes_judged",
        "episodes",
        ["started_t_utc", "episode_id"],
        postgresql_where=sa.text("classifier_success IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_episodes_judged", "episodes")
    op.drop_index("ix_episodes_policy_versions", "episodes")
    for name in _SORTED:
        op.drop_index(f"ix_episodes_by_{name}", "episodes")
    op.drop_index("ix_episodes_started", "episodes")
    op.create_index("ix_episodes_started", "episodes", ["started_t_utc", "episode_id"])
