"""Where the TCP was measured last, whether it stands, and where it must be by now."""

import math

import numpy as np
from numpy.typing import NDArray

from safety import rotation
from safety.standstill import STILL_M_S

FloatArray = NDArray[np.float64]

AHEAD_S = 0.005
"""A measurement is carried on by no more than this: what is older says little of the motion now."""

APART_S = 0.001
"""Measurements nearer to one another say nothing of speed: their stamps are no better than this."""


class SeenPose:
    """The newest usable measurement: `position_m` (3,), `quaternion` (4,) w x y z, and its age.

    Arm and control tick at rates of their own, so that the age of a measurement changes from tick
    to tick; a reference that follows the measured pose itself would tremble by speed times that.
    """

    def __init__(
        self,
        t_ns: int,
        position_m: FloatArray,
        quaternion: FloatArray,
        *,
        speed_m_s: float,
        turning_rad_s: float,
    ) -> None:
        """A pose is carried on no faster than `speed_m_s` and `turning_rad_s`."""
        self.position_m = np.array(position_m)
        self.quaternion = rotation.normalized(np.array(quaternion))
        self.still = True
        self._t_ns = t_ns
        self._velocity, self._turning = np.zeros(3), np.zeros(3)
        self._speed_m_s, self._turning_rad_s = speed_m_s, turning_rad_s

    @property
    def velocity(self) -> FloatArray:
        """(6,) between the last two measurements, m/s and rad/s in base axes."""
        return np.concatenate([self._velocity, self._turning])

    def see(self, t_ns: int, position_m: FloatArray, quaternion: FloatArray) -> None:
        """A new measurement, or the last one once more."""
        # Copies: the caller may reuse its buffers.
        position_m, facing = np.array(position_m), rotation.normalized(np.array(quaternion))
        passed_s = (t_ns - self._t_ns) * 1e-9
        if passed_s > 0.0:
            moved, turned = position_m - self.position_m, rotation.minus(facing, self.quaternion)
            if passed_s >= APART_S:
                self._velocity = _at_most(moved / passed_s, self._speed_m_s)
                self._turning = _at_most(turned / passed_s, self._turning_rad_s)
            self._t_ns = t_ns
            self.still = math.hypot(*moved.tolist()) < STILL_M_S * passed_s
        self.position_m, self.quaternion = position_m, facing

    def at(self, now_ns: int) -> tuple[FloatArray, FloatArray]:
        """Position and quaternion, carried on with the motion between the last two measurements."""
        ahead_s = min((now_ns - self._t_ns) * 1e-9, AHEAD_S)
        turned = rotation.plus(self.quaternion, ahead_s * self._turning)
        return self.position_m + ahead_s * self._velocity, turned


def _at_most(vector: FloatArray, length: float) -> FloatArray:
    """Shortened to this length."""
    return vector * min(1.0, length / max(math.hypot(*vector.tolist()), length))
