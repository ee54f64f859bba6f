"""What is done when the measured TCP leaves the workspace: brake, and let it come back only inward.

The reference never leaves the box by itself; the arm may be carried out: by a push, by a load, by a
clip that lets go, or by a box that has become smaller. Then the gate holds, so that the arm
decelerates and stands, and of what a person, the drive home or a rewind asks only the part that
leads back in is admitted. A policy is not: it never saw such a pose.

It begins before the margin is used up, for what the brake still takes: an arm counts by where it
will be. While it goes on outward it is braked like a holding one, whoever drives it back.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from safety.limits import CartesianLimits
from safety.proposal import Home, Proposal, Retrace, Twist
from safety.standstill import STILL_M_S

FloatArray = NDArray[np.float64]

BACK = 0.5
"""Share of the margin within which the arm counts as back; less than all, so that it does not
change its mind at every tick."""

BEGINS = 0.8
"""Share of the margin beyond which it counts as outside: some is left to come to stand in."""

AHEAD_M = 0.003
"""The drive back in has its goal no farther ahead, so that it is slow: an axis that came in fast
would swing back out."""

RETURN_M_S = 0.15
"""The same for who drives it back by a speed."""

STOPS_S = 0.05
"""An arm counts by where it will be after this: at 0.3 m/s the torque rate needs as long."""


class WorkspaceBrake:
    """State: on which side of the box the arm is outside, per axis: -1, 0 or 1."""

    def __init__(self) -> None:
        self.sides = np.zeros(3)
        self.leaving = False  # it still goes on outward

    @property
    def outside(self) -> bool:
        return bool(self.sides.any())

    def look(
        self, measured_m: FloatArray, velocity_m_s: FloatArray, limits: CartesianLimits
    ) -> bool:
        """Whether the arm, with its TCP measured here and moving so (3,), is outside."""
        above, below = measured_m - limits.box_max_m, limits.box_min_m - measured_m
        sides = np.where(above > below, 1.0, -1.0)
        outward_m_s = np.maximum(sides * velocity_m_s, 0.0)
        coming = np.maximum(above, below) + STOPS_S * outward_m_s
        allowed_m = limits.margin_m * (BACK if self.outside else BEGINS)
        if not (coming > allowed_m).any():
            self.sides, self.leaving = np.zeros(3), False
            return False
        self.sides = np.where(coming > limits.margin_m * BACK, sides, 0.0)
        # Of a speed that is but noise the outward half would make it hold and let go at each tick.
        self.leaving = bool((outward_m_s[self.sides != 0.0] > STILL_M_S).any())
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
                twist[:3][back] = np.clip(proposal.twist[:3][back], -RETURN_M_S, RETURN_M_S)
                return replace(proposal, twist=twist) if back.any() else None
            case Home() | Retrace():
                inside = np.minimum(np.maximum(position_m, limits.box_min_m), limits.box_max_m)
                near = position_m + np.clip(inside - position_m, -AHEAD_M, AHEAD_M)
                goal = np.where(self.sides != 0.0, near, position_m)
                return replace(proposal, position_m=goal, quaternion=quaternion)
            case _:
                return None
