"""The reference goes on as it went: in one tick its motion changes by little, whoever drives.

A hold follows the measured arm, and what follows a hold is planned anew. Where the arm is slower
than its reference was (it was speeding up), or a tick of control came late, doing so at once would
be a step in the reference's velocity. So each tick goes no farther from the motion of the tick
before than `BEND_M_S2` allows; what is left over follows in the next ones.
"""

import math

import numpy as np
from numpy.typing import NDArray

from safety import rotation

FloatArray = NDArray[np.float64]

BEND_M_S2 = 38.0
"""0.95 mm in a tick at 200 Hz: below the 1 mm of docs/safety.md, above the 0.75 mm with which an
arm at 0.25 m/s along one axis brakes."""

BEND_RAD_S2 = 330.0
"""0.47 degrees in a tick at 200 Hz."""


class Course:
    """State: the reference's motion in the last tick, `moved` (6,) m and rad in base axes."""

    def __init__(self, period_s: float) -> None:
        self.moved: FloatArray = np.zeros(6)
        self._bend_m = BEND_M_S2 * period_s * period_s
        self._bend_rad = BEND_RAD_S2 * period_s * period_s

    def toward(
        self, position_m: FloatArray, quaternion: FloatArray, goal_m: FloatArray, goal: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """From a pose as near to a goal as the last motion allows: position (3,), quaternion."""
        on, turning = self.moved[:3], self.moved[3:]
        departs = goal_m - position_m - on
        turns = rotation.minus(goal, quaternion) - turning
        away, twisted = math.hypot(*departs.tolist()), math.hypot(*turns.tolist())
        if away > self._bend_m:
            goal_m = position_m + on + departs * (self._bend_m / away)
        if twisted > self._bend_rad:
            goal = rotation.plus(quaternion, turning + turns * (self._bend_rad / twisted))
        return goal_m, goal

    def note(
        self, position_m: FloatArray, quaternion: FloatArray, next_m: FloatArray, facing: FloatArray
    ) -> None:
        """The reference went from one pose to the next one."""
        turned = rotation.minus(facing, quaternion)
        self.moved = np.concatenate([next_m - position_m, turned])
