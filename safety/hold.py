"""How a hold moves the tracked reference: along with the arm, until both stand.

A reference that rested before the arm does would pull it back the way it came, and so would the
pose that was measured last: without a measurement the reference brakes by itself, from the motion
that was measured last. Its own may be another: it may already turn back.
"""

import numpy as np
from numpy.typing import NDArray

from safety.seen import SeenPose
from safety.tracking import Tracker

FloatArray = NDArray[np.float64]

FOLLOW_S = 0.3
"""A hold follows a moving arm for no longer than this: what still moves it then is pushed back."""


class HoldMotion:
    """State: whether the gate holds, since when, and where an arm that is not seen must be.

    `rests`: the reference has come to rest, and stays there until the hold ends.
    """

    def __init__(self) -> None:
        self.active, self.rests = True, True
        self._from_ns = 0
        self._blind = False  # in the last tick
        self._went_on = False  # as the arm moved, when it was first not seen
        self._at: tuple[FloatArray, FloatArray] = (np.zeros(3), np.zeros(4))  # of the last tick

    def begin(self, now_ns: int, *, blind: bool) -> bool:
        """Before each tick of a hold: whether the reference has to decay to the measured pose: as
        the hold begins, and when the pose is seen again.
        """
        begins = not self.active
        if begins:
            self.active, self._from_ns, self._went_on = True, now_ns, False
        again = self._blind and not blind and not self._long(now_ns)
        self._blind = blind
        return begins or again

    def end(self) -> None:
        self.active = self.rests = False

    def advance(self, now_ns: int, tracker: Tracker, seen: SeenPose, *, settled: bool) -> None:
        """Brake for one period. settled: the reference sent is the tracked one, and hardly moves.

        It rests where the arm has come to stand. What the limits made of the last tick shifts no
        place that the reference decays to.
        """
        if self._long(now_ns):  # what still moves the arm is not followed: the place is fixed
            tracker.position_m, tracker.quaternion = self._at
        elif not self._blind:
            tracker.position_m, tracker.quaternion = seen.at(now_ns)
        elif not self._went_on:
            # Once: a pose that comes and goes would set the reference in motion again and again.
            self._went_on = True
            tracker.go_on(seen.velocity)
        else:
            tracker.position_m, tracker.quaternion = self._at
        try:
            tracker.brake()
        finally:  # a plan that failed braked by its fallback
            self._at = (tracker.position_m, tracker.quaternion)
        self.rests = tracker.at_rest and settled and (seen.still or self._long(now_ns))

    def _long(self, now_ns: int) -> bool:
        return now_ns - self._from_ns >= FOLLOW_S * 1e9
