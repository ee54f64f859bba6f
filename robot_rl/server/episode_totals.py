"""What robot_rl/evaluation/metrics.py counts, counted by Postgres, however many episodes."""

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.types import BigInteger, Double

from robot_rl.evaluation.metrics import Totals
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.server.database import Database
from robot_rl.server.episodes import EpisodeFilter, conditions
from robot_rl.server.tables import EpisodeTable


def totals(database: Database, wanted: EpisodeFilter, newest: int | None) -> Totals:
    """Over episodes that have ended and are not excluded, or over the `newest` of them."""
    with database.engine.connect() as connection:
        row = connection.execute(_totals(_facts(wanted, newest), literal(None))).one_or_none()
    return Totals() if row is None else _read(row)


def totals_by_version(
    database: Database, wanted: EpisodeFilter, newest: int | None, *, below: int | None, limit: int
) -> list[tuple[int | None, Totals]]:
    """By the version that acted last, the highest first; None (no policy acted) comes last."""
    facts = _facts(wanted, newest)
    version = facts.c.policy_version
    asked = true() if below is None else or_(version < below, version.is_(None))
    versions = select(version).where(asked).distinct().order_by(version.desc().nulls_last())
    with database.engine.connect() as connection:
        page = connection.execute(versions.limit(limit)).scalars().all()
        shown = version.in_([each for each in page if each is not None])
        if None in page:
            shown = or_(shown, version.is_(None))
        rows = connection.execute(_totals(facts, version, shown))
        found = {row.version: _read(row) for row in rows}
    return [(each, found[each]) for each in page]


def _facts(wanted: EpisodeFilter, newest: int | None) -> CTE:
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
    return query.cte("facts")


def _totals(
    facts: CTE, group: ColumnElement[int | None], asked: ColumnElement[bool] | None = None
) -> Select[*tuple[int, ...]]:
    """A block is a failure and the successes that follow it: its successes are a streak."""
    counted = facts.c.success.is_not(None)
    failed = and_(counted, ~facts.c.alone)
    version = cast(group, BigInteger).label("version")
    ordered = (
        select(
            facts,
            version,
            func.count()
            .filter(failed)
            .over(partition_by=version, order_by=(facts.c.started_t_utc, facts.c.episode_id))
            .label("block"),
        )
        .where(true() if asked is None else asked)
        .subquery("ordered")
    )
    row = ordered.c
    human_s = row.human_steps * row.step_s
    robot_s = row.steps * row.step_s

    def count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(and_(*conditions))

    known = row.success.is_not(None)
    blocks = (
        select(
            row.version,
            func.count().label("episodes"),
            count(row.evaluation, known).label("evaluated"),
            count(row.evaluation, row.alone).label("evaluated_alone"),
            count(known).label("judged"),
            count(row.success).label("successes"),
            count(row.alone).label("alone"),
            _sum(row.steps).label("steps"),
            _sum(row.human_steps).label("human_steps"),
            _sum(row.interventions).label("takeovers"),
            func.sum(human_s).label("human_s"),
            func.sum(robot_s).label("robot_s"),
        )
        .group_by(row.version, row.block)
        .subquery("blocks")
    )
    summed = [_sum(column).label(column.name) for column in blocks.c if column.name != "version"]
    return select(
        blocks.c.version, *summed, func.max(blocks.c.alone).label("longest_streak")
    ).group_by(blocks.c.version)


def _sum(column: ColumnElement[int]) -> ColumnElement[float]:
    """Postgres adds 64-bit integers as decimals, which takes three times as long."""
    return func.sum(cast(column, Double))


def _read(row: Row[*tuple[int, ...]]) -> Totals:
    counts: dict[str, Any] = {
        field.name: type(field.default)(getattr(row, field.name)) for field in fields(Totals)
    }
    return Totals(**counts)
