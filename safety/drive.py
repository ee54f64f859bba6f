"""A person's six-axis input, shaped into a twist: dead-band, hysteresis, dead-man, scale, frame."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safety import lease, rotation
from safety.admission import defect
from safety.limits import LimitError
from safety.vocabulary import DriveFrame, Reject

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveSettings:
    """How a cell reads its teleoperation device. Axes run from -1 to 1."""

    speed_m_s: float
    angular_speed_rad_s: float
    dead_band: float = 0.08
    """An axis at rest counts as pushed only beyond this."""
    hysteresis: float = 0.03
    """A pushed axis counts as at rest only below dead_band minus this."""
    deflection_is_dead_man: bool = False
    """A deflected axis counts as the dead-man, for devices without a button to hold."""

    def __post_init__(self) -> None:
        for name in ("speed_m_s", "angular_speed_rad_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise LimitError(f"{name} is {value}; it must be finite and greater than 0.")
        if not 0.0 <= self.hysteresis <= self.dead_band < 1.0:
            raise LimitError(
                f"hysteresis {self.hysteresis} and dead_band {self.dead_band} must satisfy "
                f"0 <= hysteresis <= dead_band < 1."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveState:
    """Which of the six axes are pushed."""

    awake: tuple[bool, bool, bool, bool, bool, bool] = (
        False,
        False,
        False,
        False,
        False,
        False,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DriveInput:
    """One reading of a device."""

    axes: FloatArray
    """(6,) x y z and rotations about them, -1 to 1."""
    dead_man: bool
    age_s: float
    speed_scale: float = 1.0
    frame: DriveFrame = DriveFrame.BASE


def shape(
    settings: DriveSettings, state: DriveState, reading: DriveInput, tool_in_base: FloatArray
) -> tuple[FloatArray, DriveState]:
    """Twist (6,) m/s and rad/s in base axes; zero unless everything about the reading is right.

    `tool_in_base` is the TCP's quaternion (w, x, y, z).
    """
    axes, scale = reading.axes, reading.speed_scale
    fresh = 0.0 <= reading.age_s <= lease.SILENCE_NS * 1e-9
    sound = all(
        (
            defect(axes, 6) is Reject.NONE,
            defect(tool_in_base, 4) is Reject.NONE,
            0.0 <= scale <= 1.0,
        )
    )
    if not (fresh and sound):
        return np.zeros(6), DriveState()
    awake, out = [False] * 6, np.zeros(6)
    for i, axis in enumerate(axes.tolist()):
        deflection = min(abs(axis), 1.0)
        threshold = settings.dead_band - (settings.hysteresis if state.awake[i] else 0.0)
        awake[i] = deflection > threshold
        if awake[i]:
            # From zero at the threshold, so that there is no step where an axis begins to count.
            out[i] = math.copysign(max(deflection - settings.dead_band, 0.0), axis)
    after = DriveState(awake=(awake[0], awake[1], awake[2], awake[3], awake[4], awake[5]))
    if not (reading.dead_man or (settings.deflection_is_dead_man and any(awake))):
        return np.zeros(6), after
    out *= scale / (1.0 - settings.dead_band)
    out[:3] *= settings.speed_m_s
    out[3:] *= settings.angular_speed_rad_s
    if reading.frame is DriveFrame.TOOL:
        tool = rotation.normalized(np.array(tool_in_base))
        out = np.concatenate([rotation.rotate(tool, out[:3]), rotation.rotate(tool, out[3:])])
    return out, after
