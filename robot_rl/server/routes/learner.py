"""What the learner tells while it trains."""

from robot_rl.schema.live.client_update import TrainingStatus
from robot_rl.schema.policy import LearnerProgress
from robot_rl.server.routes.callers import Anyone, Learner, WithServices
from robot_rl.server.routes.guarded import guarded_router

router = guarded_router(prefix="/api/learner", tag="learner")


@router.post("/progress", status_code=204)
async def post_progress(progress: LearnerProgress, services: WithServices, _: Learner) -> None:
    """About once a second; in lock-step after every step, which robots wait for."""
    await services.hear_learner(progress)


@router.get("/status")
async def get_status(task: str, services: WithServices, _: Anyone) -> TrainingStatus:
    """Progress and newest versions, as the live page shows them."""
    return await services.training_status(task)
