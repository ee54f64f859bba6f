"""One episode in full: what happened in it, what people said about it, its steps and frames."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, Row, select

from robot_rl.config import BadConfig, load_task
from robot_rl.config.identity import action_names
from robot_rl.errors import NotFound
from robot_rl.schema.episode import HandoverFigures, Outcome, Provenance
from robot_rl.schema.intervention import InterventionUse, standing_use
from robot_rl.schema.message import Message
from robot_rl.schema.segment import RecordedStep, cameras_of, decode_segment, read_table
from robot_rl.schema.step import Step
from robot_rl.server.blobs import BlobStore
from robot_rl.server.database import Database
from robot_rl.server.episodes import EpisodeRow, episode_row
from robot_rl.server.rewards import shown_rewards
from robot_rl.server.tables import (
    ActivationTable,
    AnnotationTable,
    Base,
    EpisodeTable,
    ExclusionTable,
    HandoverTable,
    InterventionDecisionTable,
    InterventionTable,
    LabelTable,
    SafetyEventTable,
    SegmentTable,
    TrainedInterventionTable,
)


class EpisodeMissing(NotFound):
    """There is no such episode, or no such frame in it: one plain sentence."""


class DecisionRow(Message):
    """`by_default`: the person's console said it, by what that person chose before."""

    decision_id: UUID
    use: InterventionUse
    by_default: bool
    author: str
    t_utc: datetime


class InterventionRow(Message):
    """`trained_version`: the first that learned from it; `acting_version`: the first to act.

    `use`: what it is for training now; `decisions`: what people said, oldest first.
    """

    intervention_id: UUID
    operator: str
    device: str
    reason: str
    first_index: int
    last_index: int
    correction_steps: int
    started_t_utc: datetime
    ended_t_utc: datetime
    trained_version: int | None
    acting_version: int | None
    latency_s: float | None
    use: InterventionUse
    decisions: tuple[DecisionRow, ...]


class SafetyEventRow(Message):
    event_id: UUID
    code: str
    cause: str
    by: str
    t_robot_ns: int
    t_utc: datetime


class HandoverRow(HandoverFigures):
    handover_id: UUID
    t_robot_ns: int
    t_utc: datetime


class LabelRow(Message):
    label_id: UUID
    outcome: Outcome
    failure_class: str | None
    note: str
    author: str
    t_utc: datetime


class ExclusionRow(Message):
    exclusion_id: UUID
    excluded: bool
    reason: str
    author: str
    t_utc: datetime


class AnnotationRow(Message):
    """`replaces`: the annotation that this one is an edit of; `withdrawn`: takes that one back.
    `shows_success`: what its frames are to a success classifier; None: nothing is said of that.
    """

    annotation_id: UUID
    first_index: int
    last_index: int
    failure_class: str | None
    text: str
    shows_success: bool | None
    author: str
    t_utc: datetime
    replaces: UUID | None
    withdrawn: bool


class ActivationRow(Message):
    version: int
    t_robot_ns: int
    t_utc: datetime


class EpisodeDetail(Message):
    """Histories are oldest first; the last label and exclusion are the ones that count."""

    episode: EpisodeRow
    provenance: Provenance
    started_t_robot_ns: int
    ended_t_robot_ns: int | None
    interventions: tuple[InterventionRow, ...]
    safety_events: tuple[SafetyEventRow, ...]
    handovers: tuple[HandoverRow, ...]
    activations: tuple[ActivationRow, ...]
    labels: tuple[LabelRow, ...]
    exclusions: tuple[ExclusionRow, ...]
    annotations: tuple[AnnotationRow, ...]


class EpisodeSteps(Message):
    """Consecutive steps without images; `rewards` beside them, as derived for display.

    `action_names`: of the columns of an action; none while no step with an action is stored.
    """

    episode_id: UUID
    action_names: tuple[str, ...]
    steps: tuple[Step, ...]
    rewards: tuple[float | None, ...]


def detail(database: Database, episode_id: UUID) -> EpisodeDetail:
    """Raises EpisodeMissing."""
    with database.engine.connect() as connection:
        row = connection.execute(
            select(EpisodeTable.__table__).where(EpisodeTable.episode_id == episode_id)
        ).one_or_none()
        if row is None:
            raise EpisodeMissing(f"there is no episode {episode_id}")
        return EpisodeDetail(
            episode=episode_row(row),
            provenance=Provenance.model_validate(row.provenance),
            started_t_robot_ns=row.started_t_robot_ns,
            ended_t_robot_ns=row.ended_t_robot_ns,
            interventions=_interventions(connection, episode_id),
            safety_events=_of(connection, SafetyEventTable, SafetyEventRow, episode_id),
            handovers=_of(connection, HandoverTable, HandoverRow, episode_id),
            activations=_of(connection, ActivationTable, ActivationRow, episode_id),
            labels=_of(connection, LabelTable, LabelRow, episode_id),
            exclusions=_of(connection, ExclusionTable, ExclusionRow, episode_id),
            annotations=_of(connection, AnnotationTable, AnnotationRow, episode_id),
        )


def _of[M: Message](
    connection: Connection, table: type[Base], model: type[M], episode_id: UUID
) -> tuple[M, ...]:
    """Rows of an episode in order of time, as messages with columns of the same names."""
    columns = table.__table__.c
    # UUIDv7 ids order what bears the same time.
    identity = next(iter(table.__table__.primary_key))
    query = (
        select(*(columns[name] for name in model.model_fields))
        .where(columns["episode_id"] == episode_id)
        .order_by(columns["t_utc"], identity)
    )
    return tuple(model(**row._mapping) for row in connection.execute(query))


def _interventions(connection: Connection, episode_id: UUID) -> tuple[InterventionRow, ...]:
    trained = TrainedInterventionTable.__table__.c
    query = (
        select(
            InterventionTable.__table__,
            trained["version"].label("trained_version"),
            trained["acting_version"],
            trained["latency_s"],
        )
        .outerjoin(
            TrainedInterventionTable,
            TrainedInterventionTable.intervention_id == InterventionTable.intervention_id,
        )
        .where(InterventionTable.episode_id == episode_id)
        .order_by(InterventionTable.first_index)
    )
    said = _decisions(connection, episode_id)
    return tuple(
        _intervention(row, said.get(row.intervention_id, ())) for row in connection.execute(query)
    )


def _intervention(row: Row[Any], decisions: tuple[DecisionRow, ...]) -> InterventionRow:
    names = InterventionRow.model_fields.keys() - {"use", "decisions"}
    decided = decisions[-1].use if decisions else None
    use = standing_use(decided, correction_steps=row.correction_steps)
    recorded = {name: getattr(row, name) for name in names}
    return InterventionRow(**recorded, use=use, decisions=decisions)


def _decisions(connection: Connection, episode_id: UUID) -> dict[UUID, tuple[DecisionRow, ...]]:
    """By intervention, oldest first."""
    query = (
        select(InterventionDecisionTable.__table__)
        .where(InterventionDecisionTable.episode_id == episode_id)
        .order_by(InterventionDecisionTable.t_utc, InterventionDecisionTable.decision_id)
    )
    found: dict[UUID, tuple[DecisionRow, ...]] = {}
    for row in connection.execute(query):
        said = DecisionRow(**{name: getattr(row, name) for name in DecisionRow.model_fields})
        found[row.intervention_id] = (*found.get(row.intervention_id, ()), said)
    return found


def steps(database: Database, blobs: BlobStore, episode_id: UUID) -> EpisodeSteps:
    """Every step that is stored. Raises EpisodeMissing."""
    with database.engine.connect() as connection:
        episode = connection.execute(
            select(EpisodeTable.task, EpisodeTable.outcome, EpisodeTable.provenance).where(
                EpisodeTable.episode_id == episode_id
            )
        ).one_or_none()
        if episode is None:
            raise EpisodeMissing(f"there is no episode {episode_id}")
        hashes = connection.execute(
            select(SegmentTable.sha256)
            .where(SegmentTable.episode_id == episode_id)
            .order_by(SegmentTable.first_index)
        ).scalars()
        found = [
            record.step
            for sha256 in hashes
            for record in decode_segment(blobs.get(sha256), images=False)
        ]
    outcome = None if episode.outcome is None else Outcome(episode.outcome)
    provenance = Provenance.model_validate(episode.provenance)
    return EpisodeSteps(
        episode_id=episode_id,
        action_names=action_names(provenance, _columns(found)),
        steps=tuple(found),
        rewards=_rewards(found, episode.task, outcome),
    )


def _columns(found: list[Step]) -> int:
    """Of an action, which the last record has not."""
    actions = (step.executed_action for step in found)
    return next((len(action) for action in actions if action is not None), 0)


def _rewards(found: list[Step], task: str, outcome: Outcome | None) -> tuple[float | None, ...]:
    """None throughout when this server has no file of the task, which defines the reward."""
    try:
        return shown_rewards(found, load_task(task), outcome)
    except BadConfig:
        return (None,) * len(found)


def records(database: Database, blobs: BlobStore, episode_id: UUID) -> list[RecordedStep]:
    """Every step that is stored, with its images, in order."""
    query = (
        select(SegmentTable.sha256)
        .where(SegmentTable.episode_id == episode_id)
        .order_by(SegmentTable.first_index)
    )
    with database.engine.connect() as connection:
        hashes = connection.execute(query).scalars().all()
    return [record for sha256 in hashes for record in decode_segment(blobs.get(sha256))]


def frame(database: Database, blobs: BlobStore, episode_id: UUID, camera: str, index: int) -> bytes:
    """The JPEG of one camera at one step, as it was recorded. Raises EpisodeMissing."""
    query = (
        select(SegmentTable.sha256, SegmentTable.first_index)
        .where(
            SegmentTable.episode_id == episode_id,
            SegmentTable.first_index <= index,
            SegmentTable.first_index + SegmentTable.count > index,
        )
        .limit(1)
    )
    with database.engine.connect() as connection:
        segment = connection.execute(query).one_or_none()
    if segment is None:
        raise EpisodeMissing(f"there is no step {index} of episode {episode_id}")
    jpeg = _jpeg(read_table(blobs.get(segment.sha256)), camera, index - segment.first_index)
    if jpeg is None:
        raise EpisodeMissing(f"step {index} of episode {episode_id} has no image of {camera!r}")
    return jpeg


def _jpeg(table: pa.Table, camera: str, position: int) -> bytes | None:
    if camera not in cameras_of(table):
        return None
    return table.column(f"frame_{camera}")[position].as_py()
