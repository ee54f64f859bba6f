"""Views for people who ask the database in SQL: read-only, with names that stay

`v_episodes`, `v_interventions`, `v_labels`. A later change of a column that they show drops them
first and makes them anew.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_VIEWS = {
    # A view of two tables cannot be written to.
    "v_episodes": """
        SELECT e.episode_id, e.run_id, e.robot, r.simulated, e.task, e.instruction, e.purpose,
               e.operator, e.started_t_utc, e.ended_t_utc,
               extract(epoch FROM e.ended_t_utc - e.started_t_utc)::float8 AS wall_s,
               e.steps * e.step_s AS robot_s, e.step_s, e.steps, e.trainable_steps,
               e.human_steps, e.interventions, e.policy_version, e.policy_versions,
               e.outcome, e.outcome = 'success' AS success, e.failure_class, e.cause, e.labeller,
               e.note, e.excluded, e.complete, e.risk_max, e.seed, e.cameras,
               e.provenance ->> 'task_sha256' AS task_sha256,
               e.provenance ->> 'cell_sha256' AS cell_sha256,
               e.provenance ->> 'code_version' AS code_version
        FROM episodes e JOIN robots r ON r.name = e.robot
    """,
    "v_interventions": """
        SELECT i.intervention_id, i.episode_id, e.robot, e.task, e.purpose, e.outcome,
               i.operator, i.device, i.reason, i.first_index, i.last_index,
               i.last_index - i.first_index + 1 AS steps, i.correction_steps,
               i.started_t_utc, i.ended_t_utc, d.use AS decided_use, d.author AS decided_by,
               t.version AS trained_version, t.acting_version, t.latency_s
        FROM interventions i
        JOIN episodes e USING (episode_id)
        LEFT JOIN trained_interventions t USING (intervention_id)
        LEFT JOIN LATERAL (
            SELECT use, author FROM intervention_decisions
            WHERE intervention_id = i.intervention_id
            ORDER BY t_utc DESC, decision_id DESC LIMIT 1
        ) d ON true
    """,
    "v_labels": """
        SELECT l.label_id, l.episode_id, e.robot, e.task, l.outcome, l.failure_class, l.note,
               l.author, l.t_utc,
               row_number() OVER newest_first = 1 AS standing
        FROM labels l JOIN episodes e USING (episode_id)
        WINDOW newest_first AS (
            PARTITION BY l.episode_id ORDER BY l.t_utc DESC, l.label_id DESC
        )
    """,
}


def upgrade() -> None:
    for name, query in _VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in reversed(_VIEWS):
        op.execute(f"DROP VIEW {name}")
