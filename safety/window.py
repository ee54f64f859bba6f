"""The policy action in execution: where it starts, what it changes, how far it has come."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safety import rotation
from safety.proposal import PolicyTarget
from safety.tracking import Tracker
from safety.vocabulary import Limit

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionWindow:
    """An action from when and where it was begun; delta (6,), m and rad, as the limits let it."""

    epoch: int
    sequence: int
    opened_ns: int
    start_m: FloatArray
    start: FloatArray
    delta: FloatArray
    limits: Limit

    def is_of(self, target: PolicyTarget) -> bool:
        """Whether it executes this action."""
        return (self.epoch, self.sequence) == (target.epoch, target.sequence)

    def goal(self, now_ns: int, target: PolicyTarget) -> tuple[FloatArray, FloatArray]:
        """Position and quaternion to be at now."""
        done = (now_ns - self.opened_ns) / (target.valid_until_ns - self.opened_ns)
        turned = rotation.plus(self.start, done * self.delta[3:])
        return self.start_m + done * self.delta[:3], turned


def begin(
    last: ActionWindow | None, epoch: int, tracker: Tracker, clipped: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Where an action starts: where the last one ended, but no further ahead than the tracker can
    follow, and not ahead on axes (6,) that a clip holds back.

    Starting at the tracked reference instead would lose its lag at every step; starting at the old
    goal always would wind up while the arm is blocked.
    """
    start_m, start = tracker.position_m, tracker.quaternion
    if last is None or last.epoch != epoch:
        return start_m, start
    end = rotation.plus(last.start, last.delta[3:])
    ahead = np.concatenate([last.start_m + last.delta[:3] - start_m, rotation.minus(end, start)])
    ahead = np.minimum(np.maximum(ahead, -tracker.lead), tracker.lead)
    ahead[clipped] = 0.0
    return start_m + ahead[:3], rotation.plus(start, ahead[3:])


def in_time(delta: FloatArray, target: PolicyTarget, now_ns: int, period_s: float) -> FloatArray:
    """What is left of a change (6,): of an action that comes late, by more than a period, what
    latency has used up is skipped.
    """
    if now_ns - target.valid_from_ns <= period_s * 1e9:
        return delta
    length_ns = target.valid_until_ns - target.valid_from_ns
    return delta * ((target.valid_until_ns - now_ns) / length_ns)
