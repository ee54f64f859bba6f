"""Figures over every episode, summed from totals of whole days that the database keeps.

A trigger notes the day of an episode whose figures changed, within the transaction that changed it
(migration 0014). Whoever reads first counts the noted days anew: in one snapshot, so that a day
which changes meanwhile stays noted. An answer has all that was committed when it was asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Date,
    Identity,
    Row,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from robot_rl.evaluation.metrics import Totals
from robot_rl.schema.episode import RiskEvent
from robot_rl.server.database import Database
from robot_rl.server.episode_totals import day_totals
from robot_rl.server.risk_counts import RiskCounts
from robot_rl.server.tables import Base, EpisodeTable, SafetyEventTable

ALL, NO_POLICY = -2, -1
"""In place of a version: all episodes; those in which no policy acted."""
DAYS_AT_ONCE = 64


class FigureDayTable(Base):
    """`evaluation.metrics.Totals` of the episodes that began on a day (UTC), by the version that
    acted last; streaks at the day's beginning and end; whether one did not succeed alone. Risk is
    counted for ALL only.
    """

    __tablename__ = "figure_days"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    episodes: Mapped[int]
    judged: Mapped[int]
    successes: Mapped[int]
    alone: Mapped[int]
    evaluated: Mapped[int]
    evaluated_alone: Mapped[int]
    steps: Mapped[int]
    human_steps: Mapped[int]
    takeovers: Mapped[int]
    longest_streak: Mapped[int]
    head_streak: Mapped[int]
    tail_streak: Mapped[int]
    risk_episodes: Mapped[int]
    vetoes: Mapped[int]
    cleared: Mapped[int]
    overrides: Mapped[int]
    human_s: Mapped[float]
    robot_s: Mapped[float]
    failed: Mapped[bool]


class FigureChangeTable(Base):
    """A day that changed since it was counted; only ever appended to, and removed when counted."""

    __tablename__ = "figure_changes"
    change_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    day: Mapped[date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Over episodes that have ended and are not excluded. `versions`: the highest first; None (no
    policy acted) comes last.
    """

    all: Totals
    versions: Sequence[tuple[int | None, Totals]]
    risk: RiskCounts


def counted(database: Database, *, below: int | None, limit: int) -> Counted:
    """Over every episode; of `limit` versions, from the one below `below` on downwards."""
    day = FigureDayTable.__table__.c
    versions = select(day.version).where(day.version > ALL).distinct()
    if below is not None:
        versions = versions.where(day.version < below)
    rows = select(FigureDayTable.__table__).order_by(day.day)
    with _up_to_date(database) as connection:
        newest = versions.order_by(day.version.desc()).limit(limit)
        page = connection.execute(newest).scalars().all()
        of_page: dict[int, list[Row[Any]]] = {version: [] for version in (ALL, *page)}
        for row in connection.execute(rows.where(day.version.in_([*of_page]))):
            of_page[row.version].append(row)
    every = of_page[ALL]
    return Counted(
        all=joined(every),
        versions=[
            (None if version == NO_POLICY else version, joined(of_page[version]))
            for version in page
        ],
        risk=RiskCounts(
            episodes=sum(row.risk_episodes for row in every),
            vetoes=sum(row.vetoes for row in every),
            cleared=sum(row.cleared for row in every),
            overrides=sum(row.overrides for row in every),
        ),
    )


def joined(days: Iterable[Any]) -> Totals:
    """Totals of days in order of time; a streak goes on from one day into the next."""
    sums = {each.name: each.default for each in fields(Totals)}
    longest = streak = 0
    for day in days:
        for name in sums:
            sums[name] += getattr(day, name)
        longest = max(longest, day.longest_streak, streak + day.head_streak)
        streak = day.tail_streak if day.failed else streak + day.tail_streak
    return Totals(**{**sums, "longest_streak": longest})


@contextmanager
def _up_to_date(database: Database) -> Iterator[Connection]:
    """A snapshot in which no day is noted. Days are counted a few at a time, each time for good."""
    while True:
        with (
            database.engine.connect().execution_options(
                isolation_level="REPEATABLE READ"
            ) as connection,
            connection.begin(),
        ):
            # One reader counts at a time; those who store episodes do not wait for it. Taken before
            # the snapshot, so that what the one before counted is in it.
            connection.execute(text("LOCK TABLE figure_changes IN SHARE UPDATE EXCLUSIVE MODE"))
            noted = select(FigureChangeTable.day).distinct().order_by(FigureChangeTable.day)
            days = connection.execute(noted.limit(DAYS_AT_ONCE)).scalars().all()
            if not days:
                yield connection
                return
            _count(connection, days)


def _count(connection: Connection, days: Sequence[date]) -> None:
    connection.execute(delete(FigureDayTable).where(FigureDayTable.day.in_(days)))
    versions = (
        cast(literal(ALL), BigInteger),
        func.coalesce(EpisodeTable.policy_version, NO_POLICY),
    )
    found = [row for each in versions for row in connection.execute(day_totals(days, each))]
    risk = _risk(connection, days)
    none = dict.fromkeys(("risk_episodes", "vetoes", "cleared", "overrides"), 0)
    rows = [
        {**row._mapping, **none, **(risk.get(row.day, {}) if row.version == ALL else {})}
        for row in found
    ]
    if rows:
        connection.execute(insert(FigureDayTable), rows)
    # Of the snapshot: what was noted since then stays.
    connection.execute(delete(FigureChangeTable).where(FigureChangeTable.day.in_(days)))


def _risk(connection: Connection, days: Sequence[date]) -> dict[date, dict[str, int]]:
    """Of episodes in which a risk critic judged."""
    day = cast(func.timezone("UTC", EpisodeTable.started_t_utc), Date).label("day")
    events = (
        select(SafetyEventTable.code, func.count().label("number"))
        .where(SafetyEventTable.episode_id == EpisodeTable.episode_id)
        .where(SafetyEventTable.code.in_([*RiskEvent]))
        .group_by(SafetyEventTable.code)
        .lateral("events")
    )
    names = {
        RiskEvent.VETO: "vetoes", RiskEvent.CLEARED: "cleared", RiskEvent.OVERRIDE: "overrides"
    }  # fmt: skip
    judged = (
        EpisodeTable.started_t_utc >= days[0],
        EpisodeTable.started_t_utc < days[-1] + timedelta(days=1),
        day.in_(days),
        EpisodeTable.ended_t_utc.is_not(None),
        ~EpisodeTable.excluded,
        EpisodeTable.risk_max.is_not(None),
    )
    number = func.count().label("number")
    found: dict[date, dict[str, int]] = {}
    for row in connection.execute(select(day, number).where(*judged).group_by(day)):
        found[row.day] = {"risk_episodes": row.number}
    summed = func.sum(events.c.number).label("number")
    query = select(day, events.c.code, summed).join_from(EpisodeTable, events, literal(True))
    for row in connection.execute(query.where(*judged).group_by(day, events.c.code)):
        found[row.day][names[RiskEvent(row.code)]] = int(row.number)
    return found
