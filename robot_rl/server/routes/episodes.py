"""Episodes: the table, one episode, its steps and frames, and what people say about it."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response

from robot_rl.server import decisions, episode, episodes, labels
from robot_rl.server.episode import (
    AnnotationRow,
    DecisionRow,
    EpisodeDetail,
    EpisodeSteps,
    ExclusionRow,
    LabelRow,
)
from robot_rl.server.episodes import PAGE_LIMIT, EpisodeFilter, EpisodePage, Sort
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.routes.heavy import answer_heavy

router = guarded_router(prefix="/api/episodes", tag="episodes")

FOREVER = "private, max-age=31536000, immutable"


@router.get("", response_model=EpisodePage)
async def get_episodes(
    services: WithServices,
    _: Caller,
    wanted: Annotated[EpisodeFilter, Depends()],
    sort: Sort = "started",
    descending: bool = True,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
    after: str | None = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """A page of the table, with the counts of everything that the filter finds."""
    return await answer_heavy(
        services,
        lambda: episodes.page(
            services.database,
            wanted,
            sort=sort,
            descending=descending,
            limit=limit,
            after=after,
            offset=offset,
        ),
    )


@router.get("/{episode_id}")
def get_episode(episode_id: UUID, services: WithServices, _: Caller) -> EpisodeDetail:
    """One episode with its interventions, events, labels and annotations."""
    return episode.detail(services.database, episode_id)


@router.get("/{episode_id}/steps", response_model=EpisodeSteps)
async def get_steps(episode_id: UUID, services: WithServices, _: Caller) -> Response:
    """All steps without images, and the rewards derived for display."""
    return await answer_heavy(
        services, lambda: episode.steps(services.database, services.blobs, episode_id)
    )


@router.get("/{episode_id}/frames/{camera}/{index}.jpg", response_class=Response)
def get_frame(
    episode_id: UUID, camera: str, index: int, services: WithServices, _: Caller
) -> Response:
    """One image as it was recorded; it never changes."""
    jpeg = episode.frame(services.database, services.blobs, episode_id, camera, index)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": FOREVER})


@router.post("/{episode_id}/labels", status_code=201)
def post_label(
    episode_id: UUID, wanted: labels.NewLabel, services: WithServices, caller: Caller
) -> LabelRow:
    """Relabels an episode; the learner gets it. Earlier labels stay."""
    return labels.relabel(services.database, episode_id, wanted, caller.name)


@router.post("/{episode_id}/exclusions", status_code=201)
def post_exclusion(
    episode_id: UUID, wanted: labels.NewExclusion, services: WithServices, caller: Caller
) -> ExclusionRow:
    """Takes an episode out of training, or back in; nothing is deleted."""
    return labels.exclude(services.database, episode_id, wanted, caller.name)


@router.post("/{episode_id}/interventions/{intervention_id}/decisions", status_code=201)
def post_decision(
    episode_id: UUID,
    intervention_id: UUID,
    wanted: decisions.NewDecision,
    services: WithServices,
    caller: Caller,
) -> DecisionRow:
    """Says what a takeover is for training; the learner gets it. Earlier decisions stay."""
    return decisions.decide(
        services.database, episode_id, intervention_id, wanted, author=caller.name
    )


@router.post("/{episode_id}/annotations", status_code=201)
def post_annotation(
    episode_id: UUID, wanted: labels.NewAnnotation, services: WithServices, caller: Caller
) -> AnnotationRow:
    """Says something about a range of steps."""
    return labels.annotate(services.database, episode_id, wanted, caller.name)
