"""How many frames of an episode show success, and how many are needed to learn it."""

import math

from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.policy.success_manifest import shape_for

SHOWN_S = 0.3
"""Before the end of an episode that a person labelled success: its frames show success. A person's
reaction to what they see takes about as long.
"""
UNSURE_S = 0.6
"""Before that: nobody knows of these frames."""
FEWEST_POSITIVES, FEWEST_NEGATIVES, FEWEST_EPISODES = 50, 100, 4
"""Frames of each kind, and episodes with success: below that nothing can be held out and measured.
"""
ADVISED_POSITIVES = 200
"""As published (HIL-SERL)."""


def shown_frames(step_s: float) -> int:
    """At the end of an episode that a person labelled success."""
    return 1 + round(SHOWN_S / step_s)


def unsure_frames(step_s: float) -> int:
    """Before these."""
    return round(UNSURE_S / step_s)


def fewest_successes(step_s: float) -> int:
    """Episodes with that label which a classifier needs, where nobody marks single frames."""
    return max(FEWEST_EPISODES, math.ceil(FEWEST_POSITIVES / shown_frames(step_s)))


def check_episodes(count: int, task: Task) -> None:
    """Raises BadInput: so few cannot be enough, or the task cannot be judged by its pictures."""
    shape_for(task)
    least = fewest_successes(task.step_s)
    if count < least:
        raise BadInput(
            f"classifier episodes = {count}: each success of {task.name} shows "
            f"{shown_frames(task.step_s)} frames, and {FEWEST_POSITIVES} are needed, so that "
            f"{least} episodes have to succeed before some can be held out; "
            f"give {2 * least} or more"
        )
