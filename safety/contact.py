"""What an impedance law allows at most: contact at rest K c, and free speed K c / D.

Neither bounds an impact; the approach speed does. The names in the sentences are those of the
cell file, because that is where a person corrects them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_ROUNDING = 1.0 + 1e-9
"""A product such as 2000 x 0.01 must not refuse a cell that states 20 N."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a cell states: the most that it allows on any axis, in either direction."""

    force_n: float
    torque_nm: float
    free_speed_m_s: float
    free_rotation_rad_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """What follows from stiffness, damping and clip; arrays (2, 3), per direction and axis."""

    force_n: FloatArray
    torque_nm: FloatArray
    free_speed_m_s: FloatArray
    free_rotation_rad_s: FloatArray


def bounds(stiffness: FloatArray, damping: FloatArray, clip: FloatArray) -> Bounds:
    """Stiffness and damping (6,), clip (2, 6): translation first, then rotation."""
    push = stiffness * clip
    speed = push / damping
    return Bounds(
        force_n=push[:, :3],
        torque_nm=push[:, 3:],
        free_speed_m_s=speed[:, :3],
        free_rotation_rad_s=speed[:, 3:],
    )


def excess(found: Bounds, stated: Stated) -> str:
    """The first bound that is above what is stated, as a sentence; empty when all are kept."""
    for name, key, unit, what, mend in _ROWS:
        values, allowed = getattr(found, name), getattr(stated, name)
        if (values > allowed * _ROUNDING).any():
            axis = "xyz"[int(values.max(axis=0).argmax())]
            return (
                f"{what} is {values.max():.3g} {unit} on {axis} and {key} is {allowed:.3g} {unit}: "
                f"lower {mend}, or state more"
            )
    return ""


def missing(found: Bounds, given: dict[str, float | None]) -> str:
    """What to write for the first key of `given` that has no value; empty when all have one."""
    for name, key, unit, what, mend in _ROWS:
        if key in given and given[key] is None:
            value = getattr(found, name).max()
            return (
                f"{key} is missing: state the most that this cell allows. {what} is "
                f"{value:.3g} {unit}; if that is right write {key} = {_upwards(value)}, else "
                f"lower {mend}"
            )
    return ""


def _upwards(value: float) -> str:
    """Three digits, never less than the value."""
    scale = 10.0 ** (2 - int(np.floor(np.log10(value))))
    return f"{np.ceil(value * scale / _ROUNDING) / scale:.12g}"


_ROWS = (
    (
        "force_n",
        "static_force_n",
        "N",
        "Stiffness × clip",
        "impedance.stiffness_n_m or the clip",
    ),
    (
        "torque_nm",
        "static_torque_nm",
        "Nm",
        "Rotational stiffness × clip_rad",
        "impedance.rotational_stiffness_nm_rad or clip_rad",
    ),
    (
        "free_speed_m_s",
        "free_speed_m_s",
        "m/s",
        "Free speed (stiffness × clip ÷ damping)",
        "the clip, or raise impedance.damping_ratio",
    ),
    (
        "free_rotation_rad_s",
        "free_rotation_rad_s",
        "rad/s",
        "Free rotation (rotational stiffness × clip_rad ÷ damping)",
        "clip_rad, or raise impedance.damping_ratio",
    ),
)
