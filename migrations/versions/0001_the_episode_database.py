"""The episode database

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("entry_id", sa.UUID(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_t_utc"), "audit", ["t_utc"], unique=False)
    op.create_table(
        "feed",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("event", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "t_utc", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_feed")),
    )
    op.create_index("ix_feed_task", "feed", ["task", "number"], unique=False)
    op.create_table(
        "feed_counter",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_feed_counter")),
    )
    op.create_table(
        "learner_states",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("progress", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_learner_states")),
    )
    op.create_table(
        "login_links",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("expires_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_t_utc", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_login_links")),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("connected_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disconnected_t_utc", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_operator_sessions")),
    )
    op.create_table(
        "policies",
        sa.Column("policy_id", sa.UUID(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("backbone_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "stored_t_utc",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_policies")),
        sa.UniqueConstraint("task", "version", name=op.f("uq_policies_task_version")),
    )
    op.create_index(op.f("ix_policies_sha256"), "policies", ["sha256"], unique=False)
    op.create_table(
        "policy_pins",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_policy_pins")),
    )
    op.create_table(
        "robots",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("cell", sa.Text(), nullable=True),
        sa.Column(
            "cameras", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("simulated", sa.Boolean(), nullable=True),
        sa.Column(
            "first_seen_t_utc",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_t_utc",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_robots")),
    )
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "created_t_utc",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_t_utc", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_sessions")),
    )
    op.create_table(
        "tokens",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "created_t_utc",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_t_utc", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_tokens")),
    )
    op.create_table(
        "trained_interventions",
        sa.Column("intervention_id", sa.UUID(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("acting_version", sa.BigInteger(), nullable=True),
        sa.Column("acting_t_robot_ns", sa.BigInteger(), nullable=True),
        sa.Column("acting_t_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("latency_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("intervention_id", name=op.f("pk_trained_interventions")),
    )
    op.create_index(
        "ix_trained_interventions_task", "trained_interventions", ["task", "version"], unique=False
    )
    op.create_table(
        "activations",
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("boot_epoch", sa.UUID(), nullable=False),
        sa.Column("t_robot_ns", sa.BigInteger(), nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=True),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["robot"], ["robots.name"], name=op.f("fk_activations_robot")),
        sa.PrimaryKeyConstraint("robot", "boot_epoch", "t_robot_ns", name=op.f("pk_activations")),
    )
    op.create_table(
        "ingest_cursors",
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("boot_epoch", sa.UUID(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column(
            "t_utc", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["robot"], ["robots.name"], name=op.f("fk_ingest_cursors_robot")),
        sa.PrimaryKeyConstraint("robot", "boot_epoch", name=op.f("pk_ingest_cursors")),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("started_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["robot"], ["robots.name"], name=op.f("fk_runs_robot")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_table(
        "updates",
        sa.Column("policy_id", sa.UUID(), nullable=False),
        sa.Column("learner_step", sa.BigInteger(), nullable=False),
        sa.Column("env_steps", sa.BigInteger(), nullable=False),
        sa.Column("critic_updates", sa.BigInteger(), nullable=False),
        sa.Column("actor_updates", sa.BigInteger(), nullable=False),
        sa.Column("losses", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("batch_online", sa.BigInteger(), nullable=False),
        sa.Column("batch_demonstrations", sa.BigInteger(), nullable=False),
        sa.Column("wall_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policies.policy_id"], name=op.f("fk_updates_policy_id")
        ),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_updates")),
    )
    op.create_table(
        "episodes",
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("boot_epoch", sa.UUID(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("instruction", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("step_s", sa.Double(), nullable=False),
        sa.Column("cameras", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("joints", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=True),
        sa.Column("provenance", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("started_t_robot_ns", sa.BigInteger(), nullable=False),
        sa.Column("started_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_steps", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("human_steps", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("interventions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "policy_versions",
            postgresql.ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("policy_version", sa.BigInteger(), nullable=True),
        sa.Column("risk_max", sa.Double(), nullable=True),
        sa.Column("steps", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("labeller", sa.Text(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=True),
        sa.Column("ended_t_robot_ns", sa.BigInteger(), nullable=True),
        sa.Column("ended_t_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("failure_class", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("excluded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('simple', instruction || ' ' || COALESCE(cause, '') || ' ' || note "
                "|| ' ' || COALESCE(failure_class, ''))",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["robot"], ["robots.name"], name=op.f("fk_episodes_robot")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_episodes_run_id")),
        sa.PrimaryKeyConstraint("episode_id", name=op.f("pk_episodes")),
    )
    op.create_index("ix_episodes_policy", "episodes", ["task", "policy_version"], unique=False)
    op.create_index(op.f("ix_episodes_run_id"), "episodes", ["run_id"], unique=False)
    op.create_index(
        "ix_episodes_search", "episodes", ["search"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_episodes_started", "episodes", ["started_t_utc", "episode_id"], unique=False
    )
    op.create_index("ix_episodes_task", "episodes", ["task", "started_t_utc"], unique=False)
    op.create_table(
        "annotations",
        sa.Column("annotation_id", sa.UUID(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("first_index", sa.BigInteger(), nullable=False),
        sa.Column("last_index", sa.BigInteger(), nullable=False),
        sa.Column("failure_class", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaces", sa.UUID(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.episode_id"], name=op.f("fk_annotations_episode_id")
        ),
        sa.ForeignKeyConstraint(
            ["replaces"], ["annotations.annotation_id"], name=op.f("fk_annotations_replaces")
        ),
        sa.PrimaryKeyConstraint("annotation_id", name=op.f("pk_annotations")),
    )
    op.create_index(op.f("ix_annotations_episode_id"), "annotations", ["episode_id"], unique=False)
    op.create_table(
        "exclusions",
        sa.Column("exclusion_id", sa.UUID(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.episode_id"], name=op.f("fk_exclusions_episode_id")
        ),
        sa.PrimaryKeyConstraint("exclusion_id", name=op.f("pk_exclusions")),
    )
    op.create_index(op.f("ix_exclusions_episode_id"), "exclusions", ["episode_id"], unique=False)
    op.create_table(
        "interventions",
        sa.Column("intervention_id", sa.UUID(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_index", sa.BigInteger(), nullable=False),
        sa.Column("last_index", sa.BigInteger(), nullable=False),
        sa.Column("correction_steps", sa.BigInteger(), nullable=False),
        sa.Column("started_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_t_robot_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.episode_id"], name=op.f("fk_interventions_episode_id")
        ),
        sa.PrimaryKeyConstraint("intervention_id", name=op.f("pk_interventions")),
    )
    op.create_index(
        op.f("ix_interventions_episode_id"), "interventions", ["episode_id"], unique=False
    )
    op.create_table(
        "labels",
        sa.Column("label_id", sa.UUID(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("failure_class", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.episode_id"], name=op.f("fk_labels_episode_id")
        ),
        sa.PrimaryKeyConstraint("label_id", name=op.f("pk_labels")),
    )
    op.create_index(op.f("ix_labels_episode_id"), "labels", ["episode_id"], unique=False)
    op.create_table(
        "resets",
        sa.Column("reset_id", sa.UUID(), nullable=False),
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("started_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.episode_id"], name=op.f("fk_resets_episode_id")
        ),
        sa.ForeignKeyConstraint(["robot"], ["robots.name"], name=op.f("fk_resets_robot")),
        sa.PrimaryKeyConstraint("reset_id", name=op.f("pk_resets")),
    )
    op.create_index(op.f("ix_resets_episode_id"), "resets", ["episode_id"], unique=False)
    op.create_table(
        "safety_events",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("robot", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("t_robot_ns", sa.BigInteger(), nullable=False),
        sa.Column("t_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.episode_id"], name=op.f("fk_safety_events_episode_id")
        ),
        sa.ForeignKeyConstraint(["robot"], ["robots.name"], name=op.f("fk_safety_events_robot")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_safety_events")),
    )
    op.create_index(
        op.f("ix_safety_events_episode_id"), "safety_events", ["episode_id"], unique=False
    )
    op.create_table(
        "segments",
        sa.Column("segment_id", sa.UUID(), nullable=False),
        sa.Column("episode_id", sa.UUID(), nullable=False),
        sa.Column("first_index", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "stored_t_utc",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.episode_id"], name=op.f("fk_segments_episode_id")
        ),
        sa.PrimaryKeyConstraint("segment_id", name=op.f("pk_segments")),
        sa.UniqueConstraint(
            "episode_id", "first_index", name=op.f("uq_segments_episode_id_first_index")
        ),
    )
    # The one row that numbers the feed
    op.execute("INSERT INTO feed_counter (last_number) VALUES (0)")


def downgrade() -> None:
    op.drop_table("segments")
    op.drop_index(op.f("ix_safety_events_episode_id"), table_name="safety_events")
    op.drop_table("safety_events")
    op.drop_index(op.f("ix_resets_episode_id"), table_name="resets")
    op.drop_table("resets")
    op.drop_index(op.f("ix_labels_episode_id"), table_name="labels")
    op.drop_table("labels")
    op.drop_index(op.f("ix_interventions_episode_id"), table_name="interventions")
    op.drop_table("interventions")
    op.drop_index(op.f("ix_exclusions_episode_id"), table_name="exclusions")
    op.drop_table("exclusions")
    op.drop_index(op.f("ix_annotations_episode_id"), table_name="annotations")
    op.drop_table("annotations")
    op.drop_index("ix_episodes_task", table_name="episodes")
    op.drop_index("ix_episodes_started", table_name="episodes")
    op.drop_index("ix_episodes_search", table_name="episodes", postgresql_using="gin")
    op.drop_index(op.f("ix_episodes_run_id"), table_name="episodes")
    op.drop_index("ix_episodes_policy", table_name="episodes")
    op.drop_table("episodes")
    op.drop_table("updates")
    op.drop_table("runs")
    op.drop_table("ingest_cursors")
    op.drop_table("activations")
    op.drop_index("ix_trained_interventions_task", table_name="trained_interventions")
    op.drop_table("trained_interventions")
    op.drop_table("tokens")
    op.drop_table("sessions")
    op.drop_table("robots")
    op.drop_table("policy_pins")
    op.drop_index(op.f("ix_policies_sha256"), table_name="policies")
    op.drop_table("policies")
    op.drop_table("operator_sessions")
    op.drop_table("login_links")
    op.drop_table("learner_states")
    op.drop_table("feed_counter")
    op.drop_index("ix_feed_task", table_name="feed")
    op.drop_table("feed")
    op.drop_index(op.f("ix_audit_t_utc"), table_name="audit")
    op.drop_table("audit")
