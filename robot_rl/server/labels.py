"""What people say about episodes later. Nothing is overwritten: every statement is a new row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Connection, insert, select, update

from robot_rl.errors import BadInput
from robot_rl.schema.episode import Outcome
from robot_rl.schema.feed import Excluded, Relabelled
from robot_rl.schema.message import Message, Name, Text, new_id, utc_now
from robot_rl.server import audit, feed
from robot_rl.server.database import Database
from robot_rl.server.episode import AnnotationRow, EpisodeMissing, ExclusionRow, LabelRow
from robot_rl.server.tables import AnnotationTable, EpisodeTable, ExclusionTable, LabelTable


class BadLabel(BadInput):
    """A label or annotation that does not fit its episode: one plain sentence."""


class NewLabel(Message):
    outcome: Outcome
    failure_class: Name | None = None
    note: Text = ""


class NewExclusion(Message):
    """`excluded` False takes an earlier exclusion back."""

    excluded: bool
    reason: Text = ""


class NewAnnotation(Message):
    """Steps `first_index` to `last_index`, both included. `shows_success`: a success classifier
    learns from these frames that the task is done in them, or that it is not.
    """

    first_index: Annotated[int, Field(ge=0)]
    last_index: Annotated[int, Field(ge=0)]
    failure_class: Name | None = None
    text: Text = ""
    shows_success: bool | None = None
    replaces: UUID | None = None
    withdrawn: bool = False


def relabel(database: Database, episode_id: UUID, wanted: NewLabel, author: str) -> LabelRow:
    """A new label, which the learner gets. Raises EpisodeMissing."""
    row = LabelRow(label_id=new_id(), author=author, t_utc=utc_now(), **wanted.model_dump())
    with database.transaction() as connection:
        task = _lock(connection, episode_id).task
        connection.execute(insert(LabelTable).values(episode_id=episode_id, **row.model_dump()))
        _repeat(connection, episode_id, wanted.model_dump())
        audit.note(
            connection, author, "episode.relabel", str(episode_id), {"outcome": wanted.outcome}
        )
        feed.append(connection, task, [relabelled(episode_id, row)])
    return row


def given_after(connection: Connection, episode_id: UUID, t_utc: datetime) -> LabelRow | None:
    """The newest label of an episode that was given later than this; None without one."""
    query = (
        select(*(getattr(LabelTable, name) for name in LabelRow.model_fields))
        .where(LabelTable.episode_id == episode_id, LabelTable.t_utc > t_utc)
        .order_by(LabelTable.t_utc.desc(), LabelTable.label_id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else LabelRow(**row._mapping)


def relabelled(episode_id: UUID, label: LabelRow) -> Relabelled:
    """A label as the learner hears of it."""
    return Relabelled(
        episode_id=episode_id, outcome=label.outcome, author=label.author, t_utc=label.t_utc
    )


def exclude(
    database: Database, episode_id: UUID, wanted: NewExclusion, author: str
) -> ExclusionRow:
    """Takes an episode out of training, or back in; the learner is told. Raises EpisodeMissing."""
    row = ExclusionRow(exclusion_id=new_id(), author=author, t_utc=utc_now(), **wanted.model_dump())
    with database.transaction() as connection:
        task = _lock(connection, episode_id).task
        connection.execute(insert(ExclusionTable).values(episode_id=episode_id, **row.model_dump()))
        _repeat(connection, episode_id, {"excluded": wanted.excluded})
        action = "episode.exclude" if wanted.excluded else "episode.include"
        audit.note(connection, author, action, str(episode_id), {"reason": wanted.reason})
        event = Excluded(
            episode_id=episode_id, excluded=wanted.excluded, author=author, t_utc=row.t_utc
        )
        feed.append(connection, task, [event])
    return row


def annotate(
    database: Database, episode_id: UUID, wanted: NewAnnotation, author: str
) -> AnnotationRow:
    """A range of steps with a class and a text. Raises EpisodeMissing and BadLabel."""
    row = AnnotationRow(
        annotation_id=new_id(), author=author, t_utc=utc_now(), **wanted.model_dump()
    )
    with database.transaction() as connection:
        stored = _lock(connection, episode_id).stored_steps
        if not wanted.first_index <= wanted.last_index < stored:
            raise BadLabel(
                f"steps {wanted.first_index} to {wanted.last_index} are not a range of the "
                f"episode, which has steps 0 to {stored - 1}"
            )
        if wanted.replaces is not None:
            _check_replaced(connection, episode_id, wanted.replaces)
        connection.execute(
            insert(AnnotationTable).values(episode_id=episode_id, **row.model_dump())
        )
        shows = wanted.shows_success
        said = {} if shows is None else {"shows_success": "yes" if shows else "no"}
        audit.note(connection, author, "episode.annotate", str(episode_id), said)
    return row


def _check_replaced(connection: Connection, episode_id: UUID, annotation_id: UUID) -> None:
    query = select(AnnotationTable.annotation_id).where(
        AnnotationTable.annotation_id == annotation_id, AnnotationTable.episode_id == episode_id
    )
    if connection.execute(query).one_or_none() is None:
        raise BadLabel(f"the episode has no annotation {annotation_id} to replace")


def _lock(connection: Connection, episode_id: UUID) -> Any:
    """Labels of one episode are given one after the other, so that the latest is the latest."""
    row = connection.execute(
        select(EpisodeTable.task, EpisodeTable.stored_steps)
        .where(EpisodeTable.episode_id == episode_id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise EpisodeMissing(f"there is no episode {episode_id}")
    return row


def _repeat(connection: Connection, episode_id: UUID, values: Mapping[str, Any]) -> None:
    connection.execute(
        update(EpisodeTable).where(EpisodeTable.episode_id == episode_id).values(**values)
    )
