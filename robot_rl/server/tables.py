"""The tables of the episode database. Steps lie in the segments."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import UUID as Uuid
from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: BigInteger(),
        float: Double(),
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[str]: ARRAY(Text()),
        list[int]: ARRAY(BigInteger()),
    }


class RobotTable(Base):
    __tablename__ = "robots"
    name: Mapped[str] = mapped_column(primary_key=True)
    task: Mapped[str | None]
    cell: Mapped[str | None]
    cameras: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))
    simulated: Mapped[bool | None]
    first_seen_t_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_t_utc: Mapped[datetime] = mapped_column(server_default=func.now())


class RunTable(Base):
    """A frozen configuration; its episodes carry the hashes."""

    __tablename__ = "runs"
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"))
    task: Mapped[str]
    started_t_utc: Mapped[datetime]


class EpisodeTable(Base):
    """`outcome`, `failure_class`, `note`, `excluded` repeat the latest label and exclusion."""

    __tablename__ = "episodes"
    episode_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.run_id"), index=True)
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"))
    boot_epoch: Mapped[UUID]
    task: Mapped[str]
    instruction: Mapped[str]
    purpose: Mapped[str] = mapped_column(String(16))
    seed: Mapped[int]
    step_s: Mapped[float]
    cameras: Mapped[list[str]]
    joints: Mapped[int]
    operator: Mapped[str | None]
    provenance: Mapped[dict[str, Any]]
    started_t_robot_ns: Mapped[int]
    started_t_utc: Mapped[datetime]
    # While steps arrive
    stored_steps: Mapped[int] = mapped_column(server_default=sql("0"))  # records, so N + 1
    trainable_steps: Mapped[int] = mapped_column(server_default=sql("0"))
    human_steps: Mapped[int] = mapped_column(server_default=sql("0"))
    interventions: Mapped[int] = mapped_column(server_default=sql("0"))
    policy_versions: Mapped[list[int]] = mapped_column(server_default=sql("'{}'"))  # in order
    policy_version: Mapped[int | None]  # the last that acted
    risk_max: Mapped[float | None]
    limit_profiles: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))  # as they came
    # Of its steps: what the next ones must be like
    last_t_robot_ns: Mapped[int | None]
    state_shape: Mapped[str | None]
    action_columns: Mapped[int | None]
    # When it has ended
    steps: Mapped[int | None]
    cause: Mapped[str | None]
    labeller: Mapped[str | None]
    complete: Mapped[bool | None]
    ended_t_robot_ns: Mapped[int | None]
    ended_t_utc: Mapped[datetime | None]
    classifier_success: Mapped[bool | None]  # None: there was no classifier
    # Latest label and exclusion
    outcome: Mapped[str | None] = mapped_column(String(16))
    failure_class: Mapped[str | None]
    note: Mapped[str] = mapped_column(server_default=sql("''"))
    excluded: Mapped[bool] = mapped_column(server_default=sql("false"))
    search: Mapped[Any] = mapped_column(
        TSVECTOR,
        Computed(
            "to_tsvector('simple', instruction || ' ' || COALESCE(cause, '') || ' ' || note "
            "|| ' ' || COALESCE(failure_class, ''))",
            persisted=True,
        ),
    )
    __table_args__ = (
        Index(
            "ix_episodes_started",
            *("started_t_utc", "episode_id"),
            postgresql_include=[
                *("task", "robot", "purpose", "outcome", "failure_class", "excluded", "operator"),
                *("labeller", "interventions", "human_steps", "policy_version", "risk_max"),
                *("steps", "complete", "step_s", "ended_t_utc"),
            ],
        ),
        Index("ix_episodes_by_interventions", "interventions", "episode_id"),
        Index("ix_episodes_by_human_steps", "human_steps", "episode_id"),
        *(
            Index(
                f"ix_episodes_by_{name}",
                sql(f"COALESCE({column}, '-1'::{kind})"),
                "episode_id",
                postgresql_include=[column],
            )
            for name, column, kind in (
                ("steps", "steps", "bigint"),
                ("policy_version", "policy_version", "bigint"),
                ("risk", "risk_max", "double precision"),
            )
        ),
        Index("ix_episodes_policy_versions", "policy_versions", postgresql_using="gin"),
        Index(
            "ix_episodes_judged",
            *("started_t_utc", "episode_id"),
            postgresql_where=sql("classifier_success IS NOT NULL"),
        ),
        Index("ix_episodes_task", "task", "started_t_utc"),
        Index("ix_episodes_policy", "task", "policy_version"),
        Index("ix_episodes_search", "search", postgresql_using="gin"),
    )


class SegmentTable(Base):
    __tablename__ = "segments"
    segment_id: Mapped[UUID] = mapped_column(primary_key=True)
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episodes.episode_id"))
    first_index: Mapped[int]
    count: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int]
    stored_t_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (UniqueConstraint("episode_id", "first_index"),)


class InterventionTable(Base):
    __tablename__ = "interventions"
    intervention_id: Mapped[UUID] = mapped_column(primary_key=True)
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episodes.episode_id"), index=True)
    operator: Mapped[str]
    device: Mapped[str]
    reason: Mapped[str]
    first_index: Mapped[int]
    last_index: Mapped[int]
    correction_steps: Mapped[int]
    started_t_utc: Mapped[datetime]
    ended_t_utc: Mapped[datetime]
    ended_t_robot_ns: Mapped[int]


class InterventionDecisionTable(Base):
    """Append-only; the latest wins. May be stored before the robot's record of the intervention."""

    __tablename__ = "intervention_decisions"
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    intervention_id: Mapped[UUID] = mapped_column(index=True)
    episode_id: Mapped[UUID] = mapped_column(index=True)
    use: Mapped[str] = mapped_column(String(16))
    by_default: Mapped[bool]
    author: Mapped[str]
    t_utc: Mapped[datetime]


class TrainedInterventionTable(Base):
    """The first version that an intervention trained, and when a version with it first acted."""

    __tablename__ = "trained_interventions"
    intervention_id: Mapped[UUID] = mapped_column(primary_key=True)
    task: Mapped[str]
    version: Mapped[int]
    acting_version: Mapped[int | None]
    acting_t_robot_ns: Mapped[int | None]
    acting_t_utc: Mapped[datetime | None]
    latency_s: Mapped[float | None]
    __table_args__ = (Index("ix_trained_interventions_task", "task", "version"),)


class AnnotationTable(Base):
    """Append-only: an edit is a new row that `replaces` another; `withdrawn` takes one back."""

    __tablename__ = "annotations"
    annotation_id: Mapped[UUID] = mapped_column(primary_key=True)
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episodes.episode_id"), index=True)
    first_index: Mapped[int]
    last_index: Mapped[int]
    failure_class: Mapped[str | None]
    text: Mapped[str]
    shows_success: Mapped[bool | None]  # what its frames are to a success classifier
    author: Mapped[str]
    t_utc: Mapped[datetime]
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("annotations.annotation_id"))
    withdrawn: Mapped[bool] = mapped_column(server_default=sql("false"))


class LabelTable(Base):
    """Append-only; the latest wins."""

    __tablename__ = "labels"
    label_id: Mapped[UUID] = mapped_column(primary_key=True)
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episodes.episode_id"), index=True)
    outcome: Mapped[str] = mapped_column(String(16))
    failure_class: Mapped[str | None]
    note: Mapped[str]
    author: Mapped[str]
    t_utc: Mapped[datetime]


class ExclusionTable(Base):
    """Append-only; the latest wins."""

    __tablename__ = "exclusions"
    exclusion_id: Mapped[UUID] = mapped_column(primary_key=True)
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episodes.episode_id"), index=True)
    excluded: Mapped[bool]
    reason: Mapped[str]
    author: Mapped[str]
    t_utc: Mapped[datetime]


class ResetTable(Base):
    __tablename__ = "resets"
    reset_id: Mapped[UUID] = mapped_column(primary_key=True)
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"))
    episode_id: Mapped[UUID | None] = mapped_column(ForeignKey("episodes.episode_id"), index=True)
    seed: Mapped[int]
    by: Mapped[str]
    started_t_utc: Mapped[datetime]
    ended_t_utc: Mapped[datetime]


class SafetyEventTable(Base):
    __tablename__ = "safety_events"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"))
    episode_id: Mapped[UUID | None] = mapped_column(ForeignKey("episodes.episode_id"), index=True)
    code: Mapped[str]
    cause: Mapped[str]
    by: Mapped[str]
    t_robot_ns: Mapped[int]
    t_utc: Mapped[datetime]


class HandoverTable(Base):
    """A change of driver of an arm (schema.episode.HandoverFigures)."""

    __tablename__ = "handovers"
    handover_id: Mapped[UUID] = mapped_column(primary_key=True)
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"))
    episode_id: Mapped[UUID | None] = mapped_column(ForeignKey("episodes.episode_id"), index=True)
    arm: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]
    jump_m: Mapped[float]
    jump_rad: Mapped[float]
    jerk_m_s3: Mapped[float]
    torque_step_nm_ms: Mapped[float]
    force_before_n: Mapped[float]
    force_n: Mapped[float]
    t_robot_ns: Mapped[int]
    t_utc: Mapped[datetime]


class OperatorSessionTable(Base):
    """A person's or a script's connection to a robot."""

    __tablename__ = "operator_sessions"
    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    user: Mapped[str]
    role: Mapped[str]
    robot: Mapped[str]
    connected_t_utc: Mapped[datetime]
    disconnected_t_utc: Mapped[datetime | None]


class PolicyTable(Base):
    __tablename__ = "policies"
    policy_id: Mapped[UUID] = mapped_column(primary_key=True)
    task: Mapped[str]
    version: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    backbone_sha256: Mapped[str] = mapped_column(String(64))
    created_t_utc: Mapped[datetime]
    stored_t_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    thinned_t_utc: Mapped[datetime | None]  # since when its files are not kept
    manifest: Mapped[dict[str, Any]]
    __table_args__ = (UniqueConstraint("task", "version"),)


class PolicyFileTable(Base):
    """A file of a policy whose content is kept; none are left of a version that was thinned."""

    __tablename__ = "policy_files"
    policy_id: Mapped[UUID] = mapped_column(ForeignKey("policies.policy_id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int]


class PolicyUpdateTable(Base):
    """What the learner did between a version and its parent."""

    __tablename__ = "updates"
    policy_id: Mapped[UUID] = mapped_column(ForeignKey("policies.policy_id"), primary_key=True)
    learner_step: Mapped[int]
    env_steps: Mapped[int]
    critic_updates: Mapped[int]
    actor_updates: Mapped[int]
    losses: Mapped[dict[str, Any]]
    batch_online: Mapped[int]
    batch_demonstrations: Mapped[int]
    wall_s: Mapped[float]


class PolicyPinTable(Base):
    """A task whose robots are held at one version; without a row the newest is announced."""

    __tablename__ = "policy_pins"
    task: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    author: Mapped[str]
    t_utc: Mapped[datetime]


class ActivationTable(Base):
    """A robot swapped to a version."""

    __tablename__ = "activations"
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"), primary_key=True)
    boot_epoch: Mapped[UUID] = mapped_column(primary_key=True)
    t_robot_ns: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str | None]
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    episode_id: Mapped[UUID | None]
    t_utc: Mapped[datetime]


class LearnerStateTable(Base):
    """The latest progress of a task's learner."""

    __tablename__ = "learner_states"
    task: Mapped[str] = mapped_column(primary_key=True)
    progress: Mapped[dict[str, Any]]
    t_utc: Mapped[datetime]


class IngestCursorTable(Base):
    """Up to where a robot's outbox is stored for good."""

    __tablename__ = "ingest_cursors"
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"), primary_key=True)
    boot_epoch: Mapped[UUID] = mapped_column(primary_key=True)
    last_sequence: Mapped[int]
    t_utc: Mapped[datetime] = mapped_column(server_default=func.now())


class ServerIdentityTable(Base):
    """One row. Robots know by it which server has acknowledged what, and that it was restored."""

    __tablename__ = "server_identity"
    only: Mapped[bool] = mapped_column(primary_key=True, server_default=sql("true"))
    server_id: Mapped[UUID] = mapped_column(server_default=sql("gen_random_uuid()"))
    generation: Mapped[UUID] = mapped_column(server_default=sql("gen_random_uuid()"))
    restored_t_utc: Mapped[datetime | None]


class LostRowsTable(Base):
    """Rows of an outbox that a restored server lacks and the robot could not send again."""

    __tablename__ = "lost_rows"
    robot: Mapped[str] = mapped_column(ForeignKey("robots.name"), primary_key=True)
    boot_epoch: Mapped[UUID] = mapped_column(primary_key=True)
    first_sequence: Mapped[int] = mapped_column(primary_key=True)
    last_sequence: Mapped[int]
    reason: Mapped[str]
    t_utc: Mapped[datetime] = mapped_column(server_default=func.now())


class FeedCounterTable(Base):
    """One row. It is locked from taking a number to the commit, so numbers appear in order."""

    __tablename__ = "feed_counter"
    only: Mapped[bool] = mapped_column(primary_key=True, server_default=sql("true"))
    last_number: Mapped[int]


class IdentityAdmissionTable(Base):
    """Data of another identity that an engineer took into the training of a task."""

    __tablename__ = "identity_admissions"
    admission_id: Mapped[UUID] = mapped_column(primary_key=True)
    task: Mapped[str]
    identity_sha256: Mapped[str] = mapped_column(String(64))
    author: Mapped[str]
    t_utc: Mapped[datetime]
    __table_args__ = (UniqueConstraint("task", "identity_sha256"),)


class FeedTable(Base):
    __tablename__ = "feed"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task: Mapped[str]
    event: Mapped[dict[str, Any]]
    t_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (Index("ix_feed_task", "task", "number"),)
