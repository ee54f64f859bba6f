"""What a takeover is for training, once a person has said so.

While nobody has, the phase of each step decides: what follows key C is the correction. A decision
outweighs it, and the newest one counts. What follows for a step: robot_rl.schema.transition.
"""

from enum import StrEnum


class InterventionUse(StrEnum):
    """The values are recorded and sent: never change one."""

    CORRECTION = "correction"
    """Imitated: the steps after key C, or every human step when C was not pressed."""
    RECOVERY = "recovery"
    """Not imitated, kept for reinforcement learning."""
    DISCARD = "discard"
    """Neither."""


def standing_use(decided: InterventionUse | None, *, correction_steps: int) -> InterventionUse:
    """What holds for an intervention of which `correction_steps` steps follow key C."""
    if decided is not None:
        return decided
    return InterventionUse.CORRECTION if correction_steps else InterventionUse.RECOVERY
