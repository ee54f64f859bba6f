"""What the learner's tests share."""

import pytest

from robot_rl.config.document import load_task
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.policy.starting import write_untrained


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """lift_cube with a small learner that publishes every 5 steps."""
    plain = load_task("lift_cube")
    folder = tmp_path_factory.mktemp("start")
    fast = {
        "batch": 16,
        "width": 16,
        "start_steps": 4,
        "critic_warmup_updates": 6,
        "publish_every_steps": 5,
        "replay_steps": 1000,
    }
    task = plain.model_copy(
        update={
            "learner": plain.learner.model_copy(update=fast),
            "policy": StartingPolicy(folder=str(folder)),
        }
    )
    write_untrained(folder, task, seed=1)
    return task
