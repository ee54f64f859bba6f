"""Where the TCP was measured last, whether it stands, and where it must be by now."""

import math

import numpy as np
from numpy.typing import NDArray

from safety import rotation
from safety.standstill import STILL_M_S

FloatArray = NDArray[np.float64]

AHEAD_S = 0.005
"""A measurement is carried on by no more than this: what is older says little of the motion now."""


class SeenPose:
    """The newest usable measurement: `position_m` (3,), `quaternion` (4,) w x y z, and its age.

    Arm and control tick at rates of their own, so that the age of a measurement changes from tick
    to tick; a reference that follows the measured pose itself would tremble by speed times that.
    """

    def __init__(self, t_ns: int, position_m: FloatArray, quaternion: FloatArray) -> None:
        self.position_m = np.array(position_m)
        self.quaternion = rotation.normalized(np.array(quaternion))
        self.still = True
        self._t_ns = t_ns
        self._twist = np.zeros(6)

    def see(self, t_ns: int, position_m: FloatArray, quaternion: FloatArray) -> None:
        """A new measurement, or the last one once more."""
        # Copies: the caller may reuse its buffers.
        position_m, facing = np.array(position_m), rotation.normalized(np.array(quaternion))
        passed_s = (t_ns - self._t_ns) * 1e-9
        if passed_s > 0.0:
            moved, turned = position_m - self.position_m, rotation.minus(facing, self.quaternion)
            self._twist = np.concatenate([moved, turned]) / passed_s
            self._t_ns = t_ns
            self.still = math.hypot(*moved.tolist()) < STILL_M_S * passed_s
        self.position_m, self.quaternion = position_m, facing

    def at(self, now_ns: int) -> tuple[FloatArray, FloatArray]:
        """Position and quaternion, carried on with the motion between the last two measurements."""
        ahead = min((now_ns - self._t_ns) * 1e-9, AHEAD_S) * self._twist
        return self.position_m + ahead[:3], rotation.plus(self.quaternion, ahead[3:])
