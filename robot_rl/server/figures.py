"""Metrics over the episode database, and the data of the training strip."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select

from robot_rl.evaluation import metrics
from robot_rl.evaluation.metrics import Proportion, Summary
from robot_rl.schema.message import Message
from robot_rl.schema.policy import PolicyStatus
from robot_rl.server import figure_days
from robot_rl.server.agreement import ClassifierAgreement, agreement
from robot_rl.server.database import Database
from robot_rl.server.episode_totals import totals, totals_by_version
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.figure_days import Counted
from robot_rl.server.risk_counts import RiskCounts, risk_counts
from robot_rl.server.tables import (
    InterventionTable,
    PolicyTable,
    PolicyUpdateTable,
    TrainedInterventionTable,
)

VERSIONS = 50  # on a page
VERSIONS_LIMIT = 500
RECENT_INTERVENTIONS = 200
RECENT_VERSIONS = 500


class Share(Message):
    """A proportion with its Wilson 95 % interval; `value` is None without trials."""

    successes: int
    trials: int
    value: float | None
    low: float
    high: float


class Figures(Message):
    """Definitions: robot_rl/evaluation/metrics.py."""

    episodes: int
    autonomous_success: Share
    assisted_success: Share
    intervention_rate: float | None
    takeovers_per_episode: float | None
    human_s: float
    robot_s: float
    human_minutes_per_autonomous_success: float | None
    mean_time_between_interventions_s: float | None
    longest_streak: int


class VersionFigures(Message):
    """Of episodes in which this version was the last to act; None: no policy acted."""

    version: int | None
    figures: Figures


class MetricsSummary(Message):
    """`versions`: the newest first; `next_below` goes into `below` of the page of older ones.
    `classifier`: how well it agrees with people, over the newest episodes. `risk`: what the risk
    critic held back, and what people did about it.
    """

    definitions_version: int
    all: Figures
    versions: tuple[VersionFigures, ...]
    next_below: int | None
    classifier: ClassifierAgreement
    risk: RiskCounts


class VersionPoint(Message):
    """A version in the training strip. `losses` is empty for one that was cloned."""

    version: int
    status: PolicyStatus
    stored_t_utc: datetime
    learner_step: int | None
    env_steps: int | None
    losses: dict[str, float]
    wall_s: float | None
    new_interventions: int


class TrainedPoint(Message):
    """An intervention and the version in which it acts; None where none has acted yet."""

    intervention_id: UUID
    episode_id: UUID
    operator: str
    ended_t_utc: datetime
    version: int
    acting_version: int | None
    latency_s: float | None


class TrainingHistory(Message):
    """Newest first."""

    versions: tuple[VersionPoint, ...]
    interventions: tuple[TrainedPoint, ...]


def summary(
    database: Database,
    wanted: EpisodeFilter,
    newest: int | None,
    *,
    below: int | None = None,
    limit: int = VERSIONS,
) -> MetricsSummary:
    """Over episodes that have ended and are not excluded, or over the `newest` of them.

    `limit` versions, from the one below `below` on downwards.
    """
    if newest is None and wanted == EpisodeFilter():
        found = figure_days.counted(database, below=below, limit=limit + 1)
    else:
        found = Counted(
            all=totals(database, wanted, newest),
            versions=totals_by_version(database, wanted, newest, below=below, limit=limit + 1),
            risk=risk_counts(database, wanted, newest),
        )
    shown = found.versions[:limit]
    return MetricsSummary(
        definitions_version=metrics.DEFINITIONS_VERSION,
        all=_figures(metrics.summary_of(found.all)),
        versions=tuple(
            VersionFigures(version=version, figures=_figures(metrics.summary_of(each)))
            for version, each in shown
        ),
        next_below=shown[-1][0] if len(found.versions) > limit else None,
        classifier=agreement(database, wanted, newest),
        risk=found.risk,
    )


def _share(proportion: Proportion) -> Share:
    return Share(
        successes=proportion.successes,
        trials=proportion.trials,
        value=proportion.value,
        low=proportion.low,
        high=proportion.high,
    )


def _figures(found: Summary) -> Figures:
    plain: dict[str, Any] = asdict(found) | {
        "autonomous_success": _share(found.autonomous_success),
        "assisted_success": _share(found.assisted_success),
    }
    return Figures(**plain)


def training(database: Database, task: str) -> TrainingHistory:
    """What the training strip shows beyond the latest progress."""
    versions = (
        select(
            PolicyTable.version,
            PolicyTable.status,
            PolicyTable.stored_t_utc,
            PolicyTable.manifest,
            PolicyUpdateTable.learner_step,
            PolicyUpdateTable.env_steps,
            PolicyUpdateTable.losses,
            PolicyUpdateTable.wall_s,
        )
        .outerjoin(PolicyUpdateTable, PolicyUpdateTable.policy_id == PolicyTable.policy_id)
        .where(PolicyTable.task == task)
        .order_by(PolicyTable.version.desc())
        .limit(RECENT_VERSIONS)
    )
    interventions = (
        select(
            InterventionTable.intervention_id,
            InterventionTable.episode_id,
            InterventionTable.operator,
            InterventionTable.ended_t_utc,
            TrainedInterventionTable.version,
            TrainedInterventionTable.acting_version,
            TrainedInterventionTable.latency_s,
        )
        .join(
            TrainedInterventionTable,
            TrainedInterventionTable.intervention_id == InterventionTable.intervention_id,
        )
        .where(TrainedInterventionTable.task == task)
        .order_by(InterventionTable.ended_t_utc.desc())
        .limit(RECENT_INTERVENTIONS)
    )
    with database.engine.connect() as connection:
        return TrainingHistory(
            versions=tuple(_version(row._mapping) for row in connection.execute(versions)),
            interventions=tuple(
                TrainedPoint(**row._mapping) for row in connection.execute(interventions)
            ),
        )


def _version(row: RowMapping) -> VersionPoint:
    update = row["manifest"]["update"]
    return VersionPoint(
        new_interventions=len(update["new_interventions"]) if update else 0,
        losses=row["losses"] or {},
        **{
            name: row[name]
            for name in VersionPoint.model_fields
            if name not in {"losses", "new_interventions"}
        },
    )
