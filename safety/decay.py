"""How what must not jump passes over to where it belongs."""

DECAY_S = 0.1
"""Time in which the reference decays to the measured pose (docs/safety.md, modes)."""


def remaining(fraction: float) -> float:
    """Minimum-jerk decay from 1 to 0 over a fraction of time from 0 to 1."""
    s = min(max(fraction, 0.0), 1.0)
    return 1.0 - s * s * s * (10.0 + s * (6.0 * s - 15.0))
