"""How what must not jump passes over to where it belongs."""

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

DECAY_S = 0.1
"""Time in which the reference decays to the measured pose (docs/safety.md, modes)."""

STEEPEST = 10.0 / math.sqrt(3.0)
"""Largest acceleration of the decay of 1 in 1 s."""


def remaining(fraction: float) -> float:
    """Minimum-jerk decay from 1 to 0 over a fraction of time from 0 to 1."""
    s = min(max(fraction, 0.0), 1.0)
    return 1.0 - s * s * s * (10.0 + s * (6.0 * s - 15.0))


class FadingLead:
    """State: a lead (6,), m and rad, which decays in ticks: a missed one is not caught up."""

    def __init__(self) -> None:
        self._lead: FloatArray = np.zeros(6)
        self._passed_s, self._time_s = DECAY_S, DECAY_S

    @property
    def over(self) -> bool:
        """Nothing of it is left."""
        return self._passed_s >= self._time_s

    def begin(self, lead: FloatArray, least_s: float, most_m_s2: float) -> None:
        """Let this one decay: in least_s, or, where it is too long for this acceleration, slower,
        in up to `DECAY_S`.
        """
        soft_s = math.sqrt(STEEPEST * math.hypot(*lead[:3].tolist()) / most_m_s2)
        self._lead = lead
        self._passed_s, self._time_s = 0.0, max(least_s, min(soft_s, DECAY_S))

    def drop(self) -> None:
        """None of it is left at once."""
        self._lead = np.zeros(6)

    def advance(self, period_s: float) -> FloatArray:
        """What is left (6,) in this tick."""
        left = remaining(self._passed_s / self._time_s) * self._lead
        self._passed_s += period_s
        return left
