"""Identities of the data of a task: which there are, how they differ, and who took one in."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Text, any_, cast, func, insert, literal, select

from robot_rl.config.identity import IdentityRule
from robot_rl.config.task import Task
from robot_rl.errors import Conflict, NotFound
from robot_rl.schema.episode import Provenance, Purpose
from robot_rl.schema.feed import FeedEvent, IdentityAdmitted
from robot_rl.schema.message import Message, new_id, utc_now
from robot_rl.server import audit, feed
from robot_rl.server.database import Database
from robot_rl.server.tables import EpisodeTable, FeedTable, IdentityAdmissionTable


class IdentityRow(Message):
    """Episodes for training that were recorded with the same meaning."""

    sha256: str
    episodes: int
    trainable_steps: int
    first_t_utc: datetime
    last_t_utc: datetime
    difference: str  # from the task as it is now; empty: none
    admitted_by: str | None
    facts: dict[str, str] | None  # None in data from before they were kept

    @property
    def trained_on(self) -> bool:
        return not self.difference or self.admitted_by is not None

    @property
    def standing(self) -> str:
        """Whether it is trained on and why, in words."""
        if self.admitted_by is None:
            return f"left out: {self.difference}" if self.difference else "trained on"
        if self.difference:
            return f"admitted by {self.admitted_by}; differs: {self.difference}"
        return f"trained on; admitted by {self.admitted_by} when it differed from the task file"


def listed(database: Database, task: Task) -> tuple[IdentityRow, ...]:
    """In the order of the feed, compared with the task file as the learner compares them."""
    with database.engine.connect() as connection:
        admitted = _admitted(connection, task.name)
        episodes = _episodes(connection, task.name)
    rule = IdentityRule(task)
    rows: dict[str, IdentityRow] = {}
    for row in episodes:
        provenance = Provenance.model_validate(row.provenance)
        sha256 = provenance.data_sha256
        known = rows.get(sha256)
        if known is None:
            identity = provenance.identity
            rows[sha256] = IdentityRow(
                sha256=sha256,
                episodes=1,
                trainable_steps=row.trainable_steps,
                first_t_utc=row.started_t_utc,
                last_t_utc=row.started_t_utc,
                difference=rule.difference(provenance),
                admitted_by=admitted.get(sha256),
                facts=None if identity is None else identity.facts,
            )
            continue
        rows[sha256] = known.model_copy(
            update={
                "episodes": known.episodes + 1,
                "trainable_steps": known.trainable_steps + row.trainable_steps,
                "first_t_utc": min(known.first_t_utc, row.started_t_utc),
                "last_t_utc": max(known.last_t_utc, row.started_t_utc),
            }
        )
    return tuple(rows.values())


def trained_on(database: Database, task: Task) -> set[UUID]:
    """Episodes that the learner takes in: of the task's identity, or admitted."""
    with database.engine.connect() as connection:
        admitted = _admitted(connection, task.name)
        episodes = _episodes(connection, task.name)
    rule = IdentityRule(task)
    for sha256 in admitted:
        rule.admit(sha256)
    return {
        row.episode_id
        for row in episodes
        if not rule.difference(Provenance.model_validate(row.provenance))
    }


def admit(database: Database, task: Task, name: str, author: str) -> IdentityRow:
    """Take data of an identity in: the learner gets it, what was recorded and what comes.

    `name`: the beginning of its hash. Its episodes stand in the feed a second time behind the
    admission, so that a learner which left them out before takes them in, in the same order
    whenever it reads the feed. Raises NotFound or Conflict.
    """
    row = _named(listed(database, task), task, name)
    _check_columns(database, task, row)
    with database.transaction() as connection:
        if row.sha256 in _admitted(connection, task.name, lock=True):
            raise Conflict(f"the data {row.sha256[:12]} of {task.name} is admitted already")
        now = utc_now()
        connection.execute(
            insert(IdentityAdmissionTable).values(
                admission_id=new_id(),
                task=task.name,
                identity_sha256=row.sha256,
                author=author,
                t_utc=now,
            )
        )
        detail = {"difference": row.difference, "episodes": str(row.episodes)}
        audit.note(connection, author, "identity.admit", f"{task.name} {row.sha256}", detail)
        admitted = IdentityAdmitted(
            task=task.name, identity_sha256=row.sha256, author=author, t_utc=now
        )
        feed.hold(connection)  # what is stored from here on comes behind the admission
        again = _recorded(connection, task.name, row.sha256)
        feed.append(connection, task.name, [admitted, *again])
    return row.model_copy(update={"admitted_by": author})


def _named(rows: Iterable[IdentityRow], task: Task, name: str) -> IdentityRow:
    found = [row for row in rows if row.sha256.startswith(name)]
    if len(found) != 1:
        many = "several" if found else "no"
        raise NotFound(
            f"{many} data of {task.name} has an identity that begins with {name!r}: `robot-rl "
            f"episodes identities --task {task.name}` prints those there are"
        )
    row = found[0]
    if not row.difference:
        raise Conflict(
            f"the data {row.sha256[:12]} of {task.name} does not differ from its task file: it is "
            "trained on already"
        )
    return row


def _check_columns(database: Database, task: Task, row: IdentityRow) -> None:
    """Raises Conflict: its actions have other columns."""
    with database.engine.connect() as connection:
        episodes = _episodes(connection, task.name)
    recorded = (Provenance.model_validate(each.provenance) for each in episodes)
    provenance = next(each for each in recorded if each.data_sha256 == row.sha256)
    refusal = IdentityRule(task).refusal(provenance)
    if refusal:
        raise Conflict(f"the data {row.sha256[:12]} of {task.name} is not admitted: {refusal}")


def _admitted(connection: Connection, task: str, *, lock: bool = False) -> dict[str, str]:
    """Hash of an identity → who admitted it."""
    query = select(IdentityAdmissionTable).where(IdentityAdmissionTable.task == task)
    if lock:
        query = query.with_for_update()
    return {row.identity_sha256: row.author for row in connection.execute(query)}


def _episodes(connection: Connection, task: str) -> list[Any]:
    """In the order of the feed, in which the learner meets them: robots send when they can."""
    event = FeedTable.event
    episode_id = event["episode_id"].astext.label("episode_id")
    started = (
        select(episode_id, func.min(FeedTable.number).label("number"))
        .where(FeedTable.task == task, event["kind"].astext == "episode_started")
        .group_by("episode_id")
        .subquery()
    )
    query = (
        select(
            EpisodeTable.episode_id,
            EpisodeTable.provenance,
            EpisodeTable.trainable_steps,
            EpisodeTable.started_t_utc,
        )
        .outerjoin(started, cast(EpisodeTable.episode_id, Text) == started.c.episode_id)
        .where(EpisodeTable.task == task, EpisodeTable.purpose != Purpose.EVALUATION)
        .order_by(
            started.c.number.nulls_last(), EpisodeTable.started_t_utc, EpisodeTable.episode_id
        )
    )
    return list(connection.execute(query))


def _recorded(connection: Connection, task: str, sha256: str) -> list[FeedEvent]:
    """What the feed said about the episodes of an identity, in its order."""
    wanted = [
        str(row.episode_id)
        for row in _episodes(connection, task)
        if Provenance.model_validate(row.provenance).data_sha256 == sha256
    ]
    about_them = FeedTable.event["episode_id"].astext == any_(literal(wanted, ARRAY(Text)))
    query = (
        select(FeedTable.event).where(FeedTable.task == task, about_them).order_by(FeedTable.number)
    )
    return [feed.EVENT.validate_python(event) for event in connection.execute(query).scalars()]
