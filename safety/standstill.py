"""When something counts as standing still: the one place for these speeds. Standard library only.

Three speeds, because three questions are asked: whether the arm is at rest, which people and leases
go by; whether a hold may stay where it is; and whether one joint has stopped.
"""

REST_M_S = 0.005
"""Measured TCP speed below which the arm is at rest: a hold, by the table of faults."""

STILL_M_S = 0.003
"""Measured TCP speed below which a hold stays where it is; less than rest, so that none creeps."""

STILL_RAD_S = 0.02
"""Joint speed below which a joint has stopped: the brake then holds it where it is."""


def at_rest(speed_m_s: float) -> bool:
    """Whether a measured TCP speed counts as rest; one that is not a number never does."""
    return speed_m_s < REST_M_S
