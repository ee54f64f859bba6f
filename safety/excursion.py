"""What is done when the measured TCP leaves the workspace: brake, and let it come back only inward.

The reference never leaves the box by itself; the arm may be carried out: by a push, by a load, by a
clip that lets go, or by a box that has become smaller. Then the gate holds, so that the arm
decelerates and stands, and of what a person, the drive home or a rewind asks only the part that
leads back in is admitted. A policy is not: it never saw such a pose.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from safety.limits import CartesianLimits
from safety.proposal import Home, Proposal, Retrace, Twist

FloatArray = NDArray[np.float64]

BACK = 0.5
"""Share of the margin within which the arm counts as back; less than all, so that it does not
change its mind at every tick."""


class WorkspaceBrake:
    """State: on which side of the box the arm is outside, per axis: -1, 0 or 1."""

    def __init__(self) -> None:
        self.sides = np.zeros(3)

    @property
    def outside(self) -> bool:
        return bool(self.sides.any())

    def look(self, measured_m: FloatArray, limits: CartesianLimits) -> bool:
        """Whether the arm, with its TCP measured here, is outside."""
        above, below = measured_m - limits.box_max_m, limits.box_min_m - measured_m
        beyond = np.maximum(above, below)
        allowed_m = limits.margin_m * (BACK if self.outside else 1.0)
        if not (beyond > allowed_m).any():
            self.sides = np.zeros(3)
            return False
        out = beyond > limits.margin_m * BACK
        self.sides = np.where(out, np.where(above > below, 1.0, -1.0), 0.0)
        return True

    def inward(
        self,
        proposal: Proposal,
        position_m: FloatArray,
        quaternion: FloatArray,
        limits: CartesianLimits,
    ) -> Proposal | None:
        """The part of a proposal that leads back in from the reference at this pose; None: none."""
        match proposal:
            case Twist():
                twist = np.zeros(6)
                back = proposal.twist[:3] * self.sides < 0.0
                twist[:3][back] = proposal.twist[:3][back]
                return replace(proposal, twist=twist) if back.any() else None
            case Home() | Retrace():
                inside = np.minimum(np.maximum(position_m, limits.box_min_m), limits.box_max_m)
                goal = np.where(self.sides != 0.0, inside, position_m)
                return replace(proposal, position_m=goal, quaternion=quaternion)
            case _:
                return None
