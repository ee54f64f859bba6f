"""What people say a takeover is for training. Nothing is overwritten: every statement is a new row.

A person may be faster than the robot's record of the takeover. Such a decision is kept, and enters
the feed right after that record.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from robot_rl.schema.episode import Purpose
from robot_rl.schema.feed import InterventionDecided
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.message import Message, utc_now
from robot_rl.server import audit, feed
from robot_rl.server.database import Database
from robot_rl.server.episode import DecisionRow
from robot_rl.server.labels import BadLabel
from robot_rl.server.tables import EpisodeTable, InterventionDecisionTable, InterventionTable


class NewDecision(Message):
    """`decision_id` is made by the sender: sent again, the decision is stored once."""

    decision_id: UUID
    use: InterventionUse
    by_default: bool = False


def decide(
    database: Database, episode_id: UUID, intervention_id: UUID, wanted: NewDecision, author: str
) -> DecisionRow:
    """A new decision, which the learner gets. Raises BadLabel."""
    with database.transaction() as connection:
        lock(connection, intervention_id)
        task = _task(connection, episode_id, intervention_id)
        row = DecisionRow(author=author, t_utc=utc_now(), **wanted.model_dump())
        values = row.model_dump() | {"episode_id": episode_id, "intervention_id": intervention_id}
        if not _insert(connection, values):
            return _stored(connection, intervention_id, wanted)
        audit.note(
            connection, author, "intervention.decide", str(intervention_id), {"use": wanted.use}
        )
        if task is not None:
            feed.append(connection, task, [_event(values)])
    return row


def lock(connection: Connection, intervention_id: UUID) -> None:
    """Until the commit: a decision and the robot's record of its takeover come one by one."""
    connection.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(str(intervention_id), 0)))
    )


def latest(
    connection: Connection, intervention_id: UUID, episode_id: UUID
) -> InterventionDecided | None:
    """What was decided before the robot's record came; None when nobody has."""
    query = (
        select(InterventionDecisionTable.__table__)
        .join(EpisodeTable, EpisodeTable.episode_id == InterventionDecisionTable.episode_id)
        .where(
            InterventionDecisionTable.intervention_id == intervention_id,
            InterventionDecisionTable.episode_id == episode_id,
            EpisodeTable.purpose == Purpose.TRAINING,
        )
        .order_by(
            InterventionDecisionTable.t_utc.desc(), InterventionDecisionTable.decision_id.desc()
        )
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _event(dict(row._mapping))


def _event(values: dict[str, Any]) -> InterventionDecided:
    names = InterventionDecided.model_fields.keys() - {"kind"}
    return InterventionDecided(**{name: values[name] for name in names})


def _task(connection: Connection, episode_id: UUID, intervention_id: UUID) -> str | None:
    """The task that a recorded intervention trains; None while it is not recorded.

    Raises BadLabel: no decision about it would ever count.
    """
    row = connection.execute(
        select(InterventionTable.episode_id, EpisodeTable.task, EpisodeTable.purpose)
        .join(EpisodeTable, EpisodeTable.episode_id == InterventionTable.episode_id)
        .where(InterventionTable.intervention_id == intervention_id)
    ).one_or_none()
    if row is None:
        _check_may_come(connection, episode_id, intervention_id)
        return None
    if row.episode_id != episode_id:
        raise BadLabel(
            f"intervention {intervention_id} belongs to episode {row.episode_id}, not {episode_id}"
        )
    _check_trains(row.purpose)
    return row.task


def _check_may_come(connection: Connection, episode_id: UUID, intervention_id: UUID) -> None:
    """Of an episode that is not stored yet nothing is known. Raises BadLabel."""
    row = connection.execute(
        select(EpisodeTable.purpose, EpisodeTable.ended_t_utc).where(
            EpisodeTable.episode_id == episode_id
        )
    ).one_or_none()
    if row is None:
        return
    _check_trains(row.purpose)
    if row.ended_t_utc is not None:  # the records of its takeovers come before its end
        raise BadLabel(
            f"episode {episode_id} has ended without an intervention {intervention_id}; decide "
            "about one of those that its page shows"
        )


def _check_trains(purpose: str) -> None:
    """Raises BadLabel."""
    if purpose != Purpose.TRAINING:
        raise BadLabel(
            f"the takeovers of a {purpose} episode are not decided one by one; only those of "
            "training episodes are. Exclude the whole episode instead"
        )


def _insert(connection: Connection, values: dict[str, Any]) -> bool:
    """False when the decision is there already."""
    statement = upsert(InterventionDecisionTable).values(values).on_conflict_do_nothing()
    return connection.execute(statement.returning(literal(1))).first() is not None


def _stored(connection: Connection, intervention_id: UUID, wanted: NewDecision) -> DecisionRow:
    """The decision that came before under this id. Raises BadLabel: it is another one."""
    row = connection.execute(
        select(InterventionDecisionTable.__table__).where(
            InterventionDecisionTable.decision_id == wanted.decision_id
        )
    ).one()
    if row.intervention_id != intervention_id or row.use != wanted.use:
        raise BadLabel(
            f"decision {wanted.decision_id} is stored already with other content; "
            "send a new decision under a new id"
        )
    return DecisionRow(**{name: getattr(row, name) for name in DecisionRow.model_fields})
