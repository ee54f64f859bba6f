"""Totals of whole days, and which days changed since they were counted

Triggers note a changed day in a table that is only appended to, so that storing an episode never
waits for somebody who counts (robot_rl/server/figure_days.py).

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_WHOLE = (
    *("episodes", "judged", "successes", "alone", "evaluated", "evaluated_alone", "steps"),
    *("human_steps", "takeovers", "longest_streak", "head_streak", "tail_streak"),
    *("risk_episodes", "vetoes", "cleared", "overrides"),
)
_COUNTED = (
    *("started_t_utc", "ended_t_utc", "excluded", "outcome", "complete", "purpose", "steps"),
    *("step_s", "human_steps", "interventions", "policy_version", "risk_max"),
)
_DAY = "({}.started_t_utc AT TIME ZONE 'UTC')::date"


def _rows(row: str) -> str:
    return "ROW(" + ", ".join(f"{row}.{name}" for name in _COUNTED) + ")"


def upgrade() -> None:
    op.create_table(
        "figure_days",
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _WHOLE),
        sa.Column("human_s", sa.Double(), nullable=False),
        sa.Column("robot_s", sa.Double(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("version", "day", name="pk_figure_days"),
    )
    op.create_table(
        "figure_changes",
        sa.Column("change_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_figure_changes"),
    )
    op.execute(f"""
        CREATE FUNCTION note_episode_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO figure_changes (day) VALUES ({_DAY.format("NEW")});
            END IF;
            IF TG_OP <> 'INSERT' THEN
                INSERT INTO figure_changes (day) VALUES ({_DAY.format("OLD")});
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER episode_stored AFTER INSERT ON episodes FOR EACH ROW
        WHEN (NEW.ended_t_utc IS NOT NULL) EXECUTE FUNCTION note_episode_change()
    """)
    op.execute(f"""
        CREATE TRIGGER episode_changed AFTER UPDATE ON episodes FOR EACH ROW
        WHEN ((OLD.ended_t_utc IS NOT NULL OR NEW.ended_t_utc IS NOT NULL)
              AND {_rows("OLD")} IS DISTINCT FROM {_rows("NEW")})
        EXECUTE FUNCTION note_episode_change()
    """)
    op.execute("""
        CREATE TRIGGER episode_removed AFTER DELETE ON episodes FOR EACH ROW
        WHEN (OLD.ended_t_utc IS NOT NULL) EXECUTE FUNCTION note_episode_change()
    """)
    op.execute(f"""
        CREATE FUNCTION note_safety_event() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO figure_changes (day)
            SELECT {_DAY.format("e")} FROM episodes e WHERE e.episode_id = NEW.episode_id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER safety_event_stored AFTER INSERT ON safety_events FOR EACH ROW
        WHEN (NEW.episode_id IS NOT NULL) EXECUTE FUNCTION note_safety_event()
    """)
    op.execute(
        f"INSERT INTO figure_changes (day) SELECT DISTINCT {_DAY.format('e')} FROM episodes e"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER safety_event_stored ON safety_events")
    for name in ("stored", "changed", "removed"):
        op.execute(f"DROP TRIGGER episode_{name} ON episodes")
    op.execute("DROP FUNCTION note_safety_event")
    op.execute("DROP FUNCTION note_episode_change")
    op.drop_table("figure_changes")
    op.drop_table("figure_days")
