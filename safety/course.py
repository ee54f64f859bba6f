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
    """State: the reference's own motion in the last tick, `moved` (6,) m and rad in base axes.

    What a limit holds back is no motion, and what a clip adds, because the arm was pushed on, is
    none of the reference's own: it must not run on with it.
    """

    def __init__(self, period_s: float) -> None:
        self.moved: FloatArray = np.zeros(6)
        self._wanted = self.moved
        self._bent = False
        self._bend_m = BEND_M_S2 * period_s * period_s
        self._bend_rad = BEND_RAD_S2 * period_s * period_s

    @property
    def steady(self) -> bool:
        """The reference is where it was to be, and slow enough to stay there in the next tick."""
        moved, turned = _length(self.moved[:3]), _length(self.moved[3:])
        return not self._bent and moved <= self._bend_m and turned <= self._bend_rad

    def toward(
        self, position_m: FloatArray, quaternion: FloatArray, goal_m: FloatArray, goal: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """From a pose as near to a goal as the last motion allows: position (3,), quaternion."""
        on, turning = self.moved[:3], self.moved[3:]
        way, turn = goal_m - position_m, rotation.minus(goal, quaternion)
        away, twisted = _length(way - on), _length(turn - turning)
        self._bent = away > self._bend_m or twisted > self._bend_rad
        if away > self._bend_m:
            way = on + (way - on) * (self._bend_m / away)
            goal_m = position_m + way
        if twisted > self._bend_rad:
            turn = turning + (turn - turning) * (self._bend_rad / twisted)
            goal = rotation.plus(quaternion, turn)
        self._wanted = np.concatenate([way, turn])
        return goal_m, goal

    def note(
        self, position_m: FloatArray, quaternion: FloatArray, next_m: FloatArray, facing: FloatArray
    ) -> None:
        """After the limits, which come last, the reference went from one pose to the next one."""
        way, turn = next_m - position_m, rotation.minus(facing, quaternion)
        wanted = self._wanted
        self.moved = np.concatenate([_shorter(way, wanted[:3]), _shorter(turn, wanted[3:])])


def _length(vector: FloatArray) -> float:
    return math.hypot(*vector.tolist())


def _shorter(first: FloatArray, second: FloatArray) -> FloatArray:
    return first if _length(first) <= _length(second) else second
