"""Which policy versions keep their weights. Manifests and figures are kept for ever.

Kept are the weights of a version
- that an engineer pinned, or that acts, or that robots would be told to run now;
- that a robot swapped to last;
- that acted in an evaluation;
- that is the newest of its minute;
- that was stored less than an hour ago, so that nobody loses what is on its way.
All others are thinned: the server lists their files no more, and collection.py removes them.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, any_, delete, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import InstrumentedAttribute, aliased

from robot_rl.schema.episode import Purpose
from robot_rl.schema.message import Message, utc_now
from robot_rl.schema.policy import PolicyStatus
from robot_rl.server import blob_references, policies
from robot_rl.server.database import Database
from robot_rl.server.tables import (
    ActivationTable,
    EpisodeTable,
    PolicyFileTable,
    PolicyPinTable,
    PolicyTable,
)

KEPT_FOR = timedelta(hours=1)


class Thinned(Message):
    """Versions that lost their weights, of those that had them."""

    versions: int
    of: int


def thin(database: Database, *, kept_for: timedelta = KEPT_FOR, dry: bool = False) -> Thinned:
    """Of every task; `dry`: only count. Raises Unavailable while a backup runs."""
    before = utc_now() - kept_for
    count = 0
    with database.engine.connect() as connection:
        tasks = connection.execute(select(PolicyTable.task).distinct()).scalars().all()
        held = connection.execute(
            select(func.count()).where(PolicyTable.thinned_t_utc.is_(None))
        ).scalar_one()
    with blob_references.keeping(database, removing=True):
        for task in tasks:
            with database.transaction() as connection:
                policies.lock_task(connection, task)  # nobody pins one meanwhile
                found = connection.execute(_superfluous(connection, task, before)).scalars().all()
                count += len(found)
                if found and not dry:
                    connection.execute(
                        delete(PolicyFileTable).where(PolicyFileTable.policy_id.in_(found))
                    )
                    connection.execute(
                        update(PolicyTable)
                        .where(PolicyTable.policy_id.in_(found))
                        .values(thinned_t_utc=utc_now())
                    )
    return Thinned(versions=count, of=held)


def _superfluous(connection: Connection, task: str, before: datetime) -> Select[UUID]:
    later = aliased(PolicyTable)
    same_minute = (
        select(later.policy_id)
        .where(
            later.task == PolicyTable.task,
            later.version > PolicyTable.version,
            later.thinned_t_utc.is_(None),
            _minute(later.stored_t_utc) == _minute(PolicyTable.stored_t_utc),
        )
        .exists()
    )
    evaluated = (
        select(EpisodeTable.episode_id)
        .where(
            EpisodeTable.task == PolicyTable.task,
            EpisodeTable.purpose == Purpose.EVALUATION,
            PolicyTable.version == any_(EpisodeTable.policy_versions),
        )
        .exists()
    )
    last = (
        select(ActivationTable.version)
        .where(ActivationTable.task == task)
        .ext(distinct_on(ActivationTable.robot))
        .order_by(ActivationTable.robot, ActivationTable.t_utc.desc())
    )
    pin = select(PolicyPinTable.version).where(PolicyPinTable.task == task)
    named = (last, pin, policies.newest_offered(task))
    kept = {version for query in named for version in connection.execute(query).scalars()}
    return select(PolicyTable.policy_id).where(
        PolicyTable.task == task,
        PolicyTable.thinned_t_utc.is_(None),
        PolicyTable.stored_t_utc < before,
        PolicyTable.status != PolicyStatus.ACTIVE,
        PolicyTable.version.not_in(kept),
        same_minute,
        ~evaluated,
    )


def _minute(column: InstrumentedAttribute[datetime]) -> ColumnElement[datetime]:
    return func.date_trunc("minute", column, "UTC")
