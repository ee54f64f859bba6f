"""The step grid of a task, and what the columns of its actions are.

Window k is [B_k, B_{k+1}) with B_k = k·step + delay.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.task import Task

type Vector = NDArray[np.float64]

_POSE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The step grid and the columns and units of actions."""

    step_ns: int
    delay_ns: int
    scale: Vector  # (6,) of the arm's pose
    columns: int  # of an action
    pose: slice  # the six columns of the arm's pose
    gripper: int  # the column of its gripper

    @classmethod
    def of(cls, task: Task) -> Self:
        """The grid of a task that moves one arm by pose deltas."""
        action = task.action
        return cls(
            step_ns=task.step_ns,
            delay_ns=task.action_delay_ns,
            scale=np.array(action.scale, dtype=np.float64),
            columns=action.size,
            pose=slice(0, _POSE),
            gripper=action.gripper_columns[0],
        )

    def window(self, t_ns: int) -> int:
        """The k of the window that contains `t_ns`."""
        return (t_ns - self.delay_ns) // self.step_ns

    def begins_ns(self, k: int) -> int:
        return k * self.step_ns + self.delay_ns
