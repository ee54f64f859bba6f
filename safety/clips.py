"""The clips in force: when limits change they pass over; a step would be one of torque."""

import numpy as np
from numpy.typing import NDArray

from safety.decay import DECAY_S, remaining
from safety.limits import CartesianLimits

FloatArray = NDArray[np.float64]


class MovingClips:
    """`clip_m` and `clip_rad`, (2, 3) each, are in force now."""

    def __init__(self, limits: CartesianLimits) -> None:
        self.clip_m: FloatArray = limits.clip_m
        self.clip_rad: FloatArray = limits.clip_rad
        self._wanted: tuple[FloatArray, FloatArray] = (self.clip_m, self.clip_rad)
        self._before = self._wanted
        self._from_ns = 0

    def pass_to(self, now_ns: int, limits: CartesianLimits) -> None:
        """Begin to pass over to those of other limits."""
        self._wanted = (limits.clip_m, limits.clip_rad)
        self._before, self._from_ns = (self.clip_m, self.clip_rad), now_ns

    def move(self, now_ns: int) -> None:
        """As they are at this time."""
        if self.clip_m is self._wanted[0]:
            return
        left = remaining((now_ns - self._from_ns) * 1e-9 / DECAY_S)
        wanted = self._wanted
        if left > 0.0:
            passing = [
                new + left * (before - new)
                for new, before in zip(wanted, self._before, strict=True)
            ]
            for clip in passing:
                clip.flags.writeable = False
            wanted = (passing[0], passing[1])
        self.clip_m, self.clip_rad = wanted
