"""What robot_rl/evaluation/metrics.py counts, counted by Postgres, however many episodes."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Row,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.types import Double

from robot_rl.evaluation.metrics import Totals
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.server.database import Database
from robot_rl.server.episodes import EpisodeFilter, conditions
from robot_rl.server.tables import EpisodeTable


def totals(database: Database, wanted: EpisodeFilter, newest: int | None) -> Totals:
    """Over episodes that have ended and are not excluded, or over the `newest` of them."""
    query = _totals(
        _blocks(_facts(wanted, newest).subquery(), version=cast(literal(None), BigInteger))
    )
    with database.engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    return Totals() if row is None else _read(row)


def totals_by_version(
    database: Database, wanted: EpisodeFilter, newest: int | None, *, below: int | None, limit: int
) -> list[tuple[int | None, Totals]]:
    """By the version that acted last, the highest first; None (no policy acted) comes last."""
    facts = _facts(wanted, newest).cte("facts")
    version = facts.c.policy_version
    asked = true() if below is None else or_(version < below, version.is_(None))
    versions = select(version).where(asked).distinct().order_by(version.desc().nulls_last())
    with database.engine.connect() as connection:
        page = connection.execute(versions.limit(limit)).scalars().all()
        shown = version.in_([each for each in page if each is not None])
        if None in page:
            shown = or_(shown, version.is_(None))
        chosen = select(facts).where(shown).subquery()
        rows = connection.execute(_totals(_blocks(chosen, version=chosen.c.policy_version)))
        found = {row.version: _read(row) for row in rows}
    return [(each, found[each]) for each in page]


def day_totals(days: Sequence[date], version: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    """Totals of these days (UTC, in order) by `version`, an expression over episodes; with them how
    many succeeded alone at a day's beginning and end in a row, and whether one did not.
    """
    bounds = EpisodeFilter(
        since=datetime.combine(days[0], time(), UTC),
        until=datetime.combine(days[-1], time(), UTC) + timedelta(days=1),
    )
    day = cast(func.timezone("UTC", EpisodeTable.started_t_utc), Date)
    facts = (
        _facts(bounds, None).add_columns(day.label("day"), version.label("of")).where(day.in_(days))
    )
    facts = facts.subquery("facts")
    blocks = _blocks(facts, version=facts.c.of, day=facts.c.day)
    last = func.array_agg(aggregate_order_by(blocks.c.alone, blocks.c.block.desc()))
    return _totals(blocks).add_columns(
        func.coalesce(func.max(blocks.c.alone).filter(blocks.c.block == 0), 0).label("head_streak"),
        last[1].label("tail_streak"),
        (func.max(blocks.c.block) > 0).label("failed"),
    )


def _facts(wanted: EpisodeFilter, newest: int | None) -> Select[*tuple[Any, ...]]:
    """`success` is metrics.judge, and None where an episode does not count."""
    outcome, complete = EpisodeTable.outcome, EpisodeTable.complete
    success = case(
        (and_(outcome == Outcome.ABORTED, complete.is_(True)), False),
        (outcome == Outcome.ABORTED, None),
        else_=outcome == Outcome.SUCCESS,
    )
    query = select(
        success.label("success"),
        and_(success, EpisodeTable.human_steps == 0).label("alone"),
        (EpisodeTable.purpose == Purpose.EVALUATION).label("evaluation"),
        EpisodeTable.steps,
        EpisodeTable.human_steps,
        EpisodeTable.interventions,
        EpisodeTable.step_s,
        EpisodeTable.policy_version,
        EpisodeTable.started_t_utc,
        EpisodeTable.episode_id,
    ).where(*conditions(wanted), EpisodeTable.ended_t_utc.is_not(None), ~EpisodeTable.excluded)
    if newest is not None:
        latest = (EpisodeTable.started_t_utc.desc(), EpisodeTable.episode_id.desc())
        query = query.order_by(*latest).limit(newest)
    return query


def _blocks(facts: FromClause, **groups: ColumnElement[Any]) -> Subquery:
    """Sums by group and block. A block is a failure and the successes that follow it: its successes
    are a streak. Block 0 has no failure.
    """
    counted = facts.c.success.is_not(None)
    failed = and_(counted, ~facts.c.alone)
    by = list(groups.values())
    ordered = (
        select(
            facts,
            *(column.label(f"by_{name}") for name, column in groups.items()),
            func.count()
            .filter(failed)
            .over(partition_by=by, order_by=(facts.c.started_t_utc, facts.c.episode_id))
            .label("block"),
        )
    ).subquery("ordered")
    row = ordered.c

    def count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(and_(*conditions))

    known = row.success.is_not(None)
    columns = [row[f"by_{name}"].label(name) for name in groups]
    return (
        select(
            *columns,
            row.block,
            func.count().label("episodes"),
            count(row.evaluation, known).label("evaluated"),
            count(row.evaluation, row.alone).label("evaluated_alone"),
            count(known).label("judged"),
            count(row.success).label("successes"),
            count(row.alone).label("alone"),
            _sum(row.steps).label("steps"),
            _sum(row.human_steps).label("human_steps"),
            _sum(row.interventions).label("takeovers"),
            func.sum(row.human_steps * row.step_s).label("human_s"),
            func.sum(row.steps * row.step_s).label("robot_s"),
        )
        .group_by(*(row[f"by_{name}"] for name in groups), row.block)
        .subquery("blocks")
    )


def _totals(blocks: Subquery) -> Select[*tuple[Any, ...]]:
    """Of each group, which are the columns beside the totals' own."""
    own = {field.name for field in fields(Totals)} - {"longest_streak"}
    groups = [column for column in blocks.c if column.name not in own | {"block"}]
    return select(
        *groups,
        *(_sum(blocks.c[name]).label(name) for name in sorted(own)),
        func.max(blocks.c.alone).label("longest_streak"),
    ).group_by(*groups)


def _sum(column: ColumnElement[int]) -> ColumnElement[float]:
    """Postgres adds 64-bit integers as decimals, which takes three times as long."""
    return func.sum(cast(column, Double))


def _read(row: Row[*tuple[Any, ...]]) -> Totals:
    counts: dict[str, Any] = {
        field.name: type(field.default)(getattr(row, field.name)) for field in fields(Totals)
    }
    return Totals(**counts)
