"""Episodes as the console lists and opens them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, ValidationError
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Select,
    Text,
    and_,
    cast,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from robot_rl.errors import BadInput
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import Message
from robot_rl.server.database import Database
from robot_rl.server.tables import EpisodeTable

type Sort = Literal["started", "steps", "interventions", "human_steps", "risk", "policy_version"]

PAGE_LIMIT = 500
FEW = 10_000
"""So many that have the words are read and sorted in a moment; of more, a page is soon full."""
_LEXEME = "('(?:[^']|'')*')"  # as Postgres writes it

_ID = EpisodeTable.__table__.c.episode_id
_NONE = literal_column("'-1'::bigint", BigInteger)
_SORTS: dict[str, ColumnElement[Any]] = {
    "started": EpisodeTable.__table__.c.started_t_utc,
    "steps": func.coalesce(EpisodeTable.__table__.c.steps, _NONE),
    "interventions": EpisodeTable.__table__.c.interventions,
    "human_steps": EpisodeTable.__table__.c.human_steps,
    "risk": func.coalesce(
        EpisodeTable.__table__.c.risk_max, literal_column("'-1'::double precision", Double)
    ),
    "policy_version": func.coalesce(EpisodeTable.__table__.c.policy_version, _NONE),
}
"""As the indexes have them: without steps, while it runs, an episode is the one with the fewest."""


class EpisodeRow(Message):
    """One line of the table. `steps` counts actions; None while the episode runs."""

    episode_id: UUID
    run_id: UUID
    robot: str
    task: str
    instruction: str
    purpose: Purpose
    seed: int
    step_s: float
    cameras: tuple[str, ...]
    operator: str | None
    started_t_utc: datetime
    started_t_robot_ns: int  # the robot's clock
    ended_t_utc: datetime | None
    ended_t_robot_ns: int | None
    stored_steps: int
    steps: int | None
    trainable_steps: int  # with an action and every picture
    human_steps: int
    interventions: int
    policy_version: int | None
    policy_versions: tuple[int, ...]
    risk_max: float | None
    limit_profiles: tuple[str, ...] = ()  # active at any time
    outcome: Outcome | None
    failure_class: str | None
    cause: str | None
    labeller: str | None
    classifier_success: bool | None  # None: no success classifier judged it
    note: str
    complete: bool | None
    excluded: bool


class EpisodeFilter(Message):
    """All conditions must hold; None asks for nothing. `unlabelled`: without an outcome."""

    task: str | None = None
    robot: str | None = None
    run_id: UUID | None = None
    outcome: Outcome | None = None
    unlabelled: bool | None = None
    failure_class: str | None = None
    purpose: Purpose | None = None
    policy_version: int | None = None
    limit_profile: str | None = Field(default=None, max_length=200)
    operator: str | None = None
    interventions: bool | None = None
    excluded: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = Field(default=None, max_length=200)


class EpisodeCounts(Message):
    """Of all that the filter finds."""

    total: int
    success: int
    failure: int
    aborted: int
    unlabelled: int
    with_interventions: int


class EpisodePage(Message):
    """`next` goes into `after` of the following page; None on the last one."""

    episodes: tuple[EpisodeRow, ...]
    next: str | None
    counts: EpisodeCounts


class BadPage(BadInput):
    """`after` was not made by this server for this order."""


class _Position(Message):
    """Where a page ended: the sorted value and, between equal ones, the id."""

    sort: str
    value: datetime | int | float
    episode_id: UUID


def conditions(
    wanted: EpisodeFilter, words: ColumnElement[Any] | None = None
) -> list[ColumnElement[bool]]:
    """The filter as SQL. `words`: its text as `read_words` has it, so that it is planned well."""
    equal = {
        EpisodeTable.task: wanted.task,
        EpisodeTable.robot: wanted.robot,
        EpisodeTable.run_id: wanted.run_id,
        EpisodeTable.outcome: wanted.outcome,
        EpisodeTable.failure_class: wanted.failure_class,
        EpisodeTable.purpose: wanted.purpose,
        EpisodeTable.excluded: wanted.excluded,
    }
    found: list[ColumnElement[bool]] = [
        column == value for column, value in equal.items() if value is not None
    ]
    if wanted.unlabelled is not None:
        found.append(EpisodeTable.outcome.is_(None) == wanted.unlabelled)
    if wanted.policy_version is not None:
        found.append(EpisodeTable.policy_versions.contains([wanted.policy_version]))
    if wanted.limit_profile is not None:
        found.append(EpisodeTable.limit_profiles.any_() == wanted.limit_profile)
    if wanted.operator is not None:
        found.append(
            or_(EpisodeTable.operator == wanted.operator, EpisodeTable.labeller == wanted.operator)
        )
    if wanted.interventions is not None:
        found.append((EpisodeTable.interventions > 0) == wanted.interventions)
    if wanted.since is not None:
        found.append(EpisodeTable.started_t_utc >= wanted.since)
    if wanted.until is not None:
        found.append(EpisodeTable.started_t_utc < wanted.until)
    if wanted.text and wanted.text.strip():
        asked = _words(wanted.text) if words is None else words
        found.append(EpisodeTable.search.op("@@")(asked))
    return found


def read_words(connection: Connection, wanted: EpisodeFilter) -> ColumnElement[Any]:
    """What its text asks for, as a constant."""
    query = select(cast(_words(wanted.text or ""), Text))
    return cast(connection.execute(query).scalar_one(), TSQUERY)


def _words(text: str) -> ColumnElement[Any]:
    """As people type into a search box ("…", -, or); each word is the beginning of one."""
    query = cast(func.websearch_to_tsquery("simple", text), Text)
    return cast(func.regexp_replace(query, _LEXEME, r"\1:*", "g"), TSQUERY)


def page(
    database: Database,
    wanted: EpisodeFilter,
    *,
    sort: Sort,
    descending: bool,
    limit: int,
    after: str | None,
    offset: int,
) -> EpisodePage:
    """A page and the counts of everything that is found. Raises BadPage."""
    position = None if after is None else _position(after, sort)
    with database.engine.connect() as connection:
        where = conditions(wanted, read_words(connection, wanted) if wanted.text else None)
        counts = connection.execute(_counts(where)).one()
        matching = select(EpisodeTable.episode_id, _SORTS[sort].label("sort_value")).where(*where)
        if wanted.text and counts.total <= FEW:
            matching = matching.offset(0)  # found by their words, not by looking at all in order
        found = matching.subquery("found").c
        place = (found.sort_value, found.episode_id)
        chosen = select(*place).order_by(*_order(*place, descending=descending))
        if position is not None:
            chosen = chosen.where(_beyond(*place, position, descending))
        page = chosen.offset(offset).limit(limit + 1).subquery("page")
        # Only the rows of the page are read; the others are passed over in an index.
        query = (
            select(EpisodeTable.__table__, page.c.sort_value)
            .join(page, page.c.episode_id == _ID)
            .order_by(*_order(page.c.sort_value, page.c.episode_id, descending=descending))
        )
        rows = connection.execute(query).all()
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        last = shown[-1]
        following = _Position(
            sort=sort, value=last.sort_value, episode_id=last.episode_id
        ).model_dump_json()
    return EpisodePage(
        episodes=tuple(episode_row(row) for row in shown),
        next=following,
        counts=EpisodeCounts(**counts._mapping),
    )


def episode_row(row: Any) -> EpisodeRow:
    """From a row with the columns of `Episode`."""
    return EpisodeRow(**{name: getattr(row, name) for name in EpisodeRow.model_fields})


def _order(*columns: ColumnElement[Any], descending: bool) -> tuple[ColumnElement[Any], ...]:
    return tuple(column.desc() if descending else column for column in columns)


def _beyond(
    key: ColumnElement[Any], episode_id: ColumnElement[UUID], position: _Position, descending: bool
) -> ColumnElement[bool]:
    here = tuple_(key, episode_id)
    there = (position.value, position.episode_id)
    return here < there if descending else here > there


def _position(text: str, sort: str) -> _Position:
    try:
        position = _Position.model_validate_json(text)
    except ValidationError as error:
        raise BadPage("`after` must be the `next` of the page before") from error
    if position.sort != sort:
        raise BadPage(f"`after` is of the order by {position.sort}, and {sort} was asked for")
    if isinstance(position.value, datetime) != (sort == "started"):
        raise BadPage(f"`after` holds no value of the order by {sort}")
    return position


def _counts(where: list[ColumnElement[bool]]) -> Select[*tuple[int, ...]]:
    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(condition)

    return select(
        func.count().label("total"),
        count(EpisodeTable.outcome == Outcome.SUCCESS).label("success"),
        count(EpisodeTable.outcome == Outcome.FAILURE).label("failure"),
        count(EpisodeTable.outcome == Outcome.ABORTED).label("aborted"),
        count(EpisodeTable.outcome.is_(None)).label("unlabelled"),
        count(and_(EpisodeTable.interventions > 0)).label("with_interventions"),
    ).where(*where)
