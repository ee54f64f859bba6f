"""Metrics and the history of training."""

from typing import Annotated

from fastapi import Depends, Query

from robot_rl.server import figures
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.figures import MetricsSummary, TrainingHistory
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router

router = guarded_router(prefix="/api", tag="figures")


@router.get("/metrics")
def get_metrics(
    services: WithServices,
    _: Caller,
    wanted: Annotated[EpisodeFilter, Depends()],
    newest: Annotated[int | None, Query(ge=1)] = None,
) -> MetricsSummary:
    """Success, help and time of the (newest) episodes found, in all and by version."""
    return figures.summary(services.database, wanted, newest)


@router.get("/training")
def get_training(task: str, services: WithServices, _: Caller) -> TrainingHistory:
    """Versions with their losses, and how long each correction took to act."""
    return figures.training(services.database, task)
