"""Metrics and the history of training."""

from typing import Annotated

from fastapi import Depends, Query, Response

from robot_rl.server import figures
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.figures import VERSIONS, VERSIONS_LIMIT, MetricsSummary, TrainingHistory
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.routes.heavy import answer_heavy

router = guarded_router(prefix="/api", tag="figures")


@router.get("/metrics", response_model=MetricsSummary)
async def get_metrics(
    services: WithServices,
    _: Caller,
    wanted: Annotated[EpisodeFilter, Depends()],
    newest: Annotated[int | None, Query(ge=1)] = None,
    below: int | None = None,
    versions: Annotated[int, Query(ge=1, le=VERSIONS_LIMIT)] = VERSIONS,
) -> Response:
    """Success, help and time of the (newest) episodes found, in all and by version."""
    return await answer_heavy(
        services,
        lambda: figures.summary(services.database, wanted, newest, below=below, limit=versions),
    )


@router.get("/training", response_model=TrainingHistory)
async def get_training(task: str, services: WithServices, _: Caller) -> Response:
    """Versions with their losses, and how long each correction took to act."""
    return await answer_heavy(services, lambda: figures.training(services.database, task))
