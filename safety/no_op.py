"""Limits that limit nothing: a value so wide that no arm on a table would ever meet it.

Such a value is a slip of the pen or a protection switched off unsaid, so a cell with one is
refused. The thresholds are of arms with up to 1.3 m of reach.
"""

from collections.abc import Mapping, Sequence

MOST: Mapping[str, tuple[float, str]] = {
    "margin_m": (0.1, "m"),
    "speed_m_s": (3.0, "m/s"),
    "rotation_speed_rad_s": (6.3, "rad/s"),
    "clip_negative_m": (0.1, "m"),
    "clip_positive_m": (0.1, "m"),
    "clip_rad": (0.5, "rad"),
    "static_force_n": (500.0, "N"),
    "static_torque_nm": (100.0, "Nm"),
    "free_speed_m_s": (3.0, "m/s"),
    "free_rotation_rad_s": (6.3, "rad/s"),
}
"""Of each limit of a cell: from here on it bounds nothing."""

SIDE_M = 2.0
"""A workspace box of this side or more holds all that an arm can reach."""


def no_op(values: Mapping[str, float | Sequence[float]]) -> str:
    """The first value of `MOST` that bounds nothing, as a sentence; empty when all bound."""
    for name, (most, unit) in MOST.items():
        value = values[name]
        for each in [value] if isinstance(value, int | float) else value:
            if each >= most:
                return f"{name} is {each:g} {unit}, which limits nothing: below {most:g} is allowed"
    return ""


def no_box(low_m: Sequence[float], high_m: Sequence[float], clip_m: Sequence[float]) -> str:
    """Whether a box or a clip on one of the axes bounds nothing, as a sentence; empty if not."""
    for axis, low, high, clip in zip("xyz", low_m, high_m, clip_m, strict=True):
        side = high - low
        if side >= SIDE_M:
            return (
                f"the workspace is {side:g} m wide on {axis}, which limits nothing: below "
                f"{SIDE_M:g} m is allowed"
            )
        if clip >= side:
            return (
                f"the clip on {axis} is {clip:g} m and the workspace only {side:g} m wide: it "
                f"limits nothing; below {side:g} m is allowed"
            )
    return ""
