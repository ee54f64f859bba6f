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
class ArmColumns:
    """Where one arm's part of an action stands, and in which units."""

    scale: Vector  # (6,) m and rad per normalised unit, of the arm's pose
    pose: slice  # its six columns
    gripper: int  # the column of its gripper


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The step grid, and the columns of actions."""

    step_ns: int
    delay_ns: int
    columns: int  # of an action
    arms: tuple[ArmColumns, ...]  # those that act, in the order of the action

    @classmethod
    def of(cls, task: Task) -> Self:
        """The grid of a task that moves arms by pose deltas."""
        action = task.action
        width, scale = len(action.arm_names), np.array(action.scale, dtype=np.float64)
        return cls(
            step_ns=task.step_ns,
            delay_ns=task.action_delay_ns,
            columns=action.size,
            arms=tuple(
                ArmColumns(
                    scale=scale,
                    pose=slice(number * width, number * width + _POSE),
                    gripper=action.gripper_columns[number],
                )
                for number in range(len(task.acting_arms))
            ),
        )

    def window(self, t_ns: int) -> int:
        """The k of the window that contains `t_ns`."""
        return (t_ns - self.delay_ns) // self.step_ns

    def begins_ns(self, k: int) -> int:
        return k * self.step_ns + self.delay_ns
