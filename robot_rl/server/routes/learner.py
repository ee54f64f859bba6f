"""What the learner tells while it trains."""

from robot_rl.schema.live.client_update import TrainingStatus
from robot_rl.schema.policy import LearnerProgress
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router

router = guarded_router(prefix="/api/learner", tag="learner")


@router.post("/progress", status_code=204)
async def post_progress(progress: LearnerProgress, services: WithServices, caller: Caller) -> None:
    """About once a second; in lock-step after every step, which robots wait for."""
    caller.check_task(progress.task)
    await services.hear_learner(progress)


@router.get("/status")
async def get_status(task: str, services: WithServices, _: Caller) -> TrainingStatus:
    """Progress and newest versions, as the live page shows them."""
    return await services.training_status(task)
