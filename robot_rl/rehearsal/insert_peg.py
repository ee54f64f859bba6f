"""The scripted expert of the scene `insert_peg`."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from robot_rl.rehearsal.expert import Advice, Vector, View, towards


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertPegExpert:
    """Above the hole, turned with it, down. Where the tip is inside and the shaft rests on the rim,
    it goes on pressing lightly and slides the tip over the middle. Beside the socket: up first.
    """

    step_m: Vector
    step_rad: float  # yaw scale of the task's action
    # Longer than the longest rest on the rim in twenty of the expert's own demonstrations, 2.2 s:
    # with 1 s they would have taken over from themselves in seven.
    patience_s: float = 3.0
    tip_m: float = 0.067  # from the peg's origin to its tip
    top_m: float = 0.040  # height of the socket
    hover_m: float = 0.012  # between tip and socket while aligning
    near_m: float = 0.0015
    reach_m: float = 0.006  # as far beside the middle a tilted peg's tip may be and still be inside
    chamfer_m: float = 0.0065  # of the tip; until it is inside, the shaft may rest on the rim
    # Eye, hand and arm answer after about 0.2 s: at 0.8 per step of 0.1 s the peg swings ± 7 mm
    # about the hole for ever, as k·delay > 1 there.
    gain: float = 0.35

    @classmethod
    def of(cls, scale: tuple[float, ...]) -> Self:
        return cls(step_m=np.array(scale[:3]), step_rad=scale[5])

    def advise(self, view: View) -> Advice:
        peg_quaternion, hole_quaternion = view.objects["peg"][1], view.objects["socket"][1]
        aside, tip = self._aside(view), float(self._tip(view)[2])
        turn = _quarter(_yaw_of(hole_quaternion) - _yaw_of(peg_quaternion))
        aligned = float(np.linalg.norm(aside)) < self.near_m and abs(turn) < 0.03
        over = float(np.linalg.norm(aside)) < self.reach_m
        inside = over and tip < self.top_m - 0.001
        height = 0.0 if aligned or inside else self.top_m + self.hover_m
        offset = np.array([aside[0], aside[1], height - tip])
        if not aligned and not inside and tip < self.top_m + 0.5 * self.hover_m:
            offset[:2] *= 0.5  # lift off the rim before sliding
        if not over and tip < self.top_m - self.chamfer_m:
            offset[:2] = 0.0  # beside the socket, which is in the way: up first
        axes = np.zeros(6)
        axes[:3] = towards(offset, self.step_m, self.gain)
        if aligned or inside:
            axes[2] = max(axes[2], -0.6)
        if self.top_m - self.chamfer_m < tip < self.top_m + 0.002:
            # The shaft rests on the rim: the harder it is pressed, the less it slides.
            axes[2] = max(axes[2], -0.3)
        if self.step_rad > 0:
            axes[5] = float(np.clip(self.gain * turn / self.step_rad, -1.0, 1.0))
        return Advice(axes=axes, gripper=0)

    def distance(self, view: View) -> float:
        over = float(self._tip(view)[2]) - 0.012
        return float(np.linalg.norm(self._aside(view))) + max(0.0, over)

    def recovered(self, view: View) -> bool:
        inside = float(np.linalg.norm(self._aside(view))) < 2 * self.near_m
        return inside or float(self._tip(view)[2]) > self.top_m

    def _tip(self, view: View) -> Vector:
        """Position (3,) of the peg's tip: pressed on the rim the peg tilts by degrees, and its tip
        is millimetres beside what it is held by.
        """
        position, (w, x, y, z) = view.objects["peg"]
        up = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
        return position - self.tip_m * up

    def _aside(self, view: View) -> Vector:
        """(2,) from the tip to the hole, in the plane."""
        return view.objects["socket"][0][:2] - self._tip(view)[:2]


def _yaw_of(quaternion: Vector) -> float:
    """Rotation about the vertical, rad."""
    w, x, y, z = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def _quarter(angle: float) -> float:
    """The equivalent turn of a square, in −45° … 45°."""
    return float((angle + np.pi / 4) % (np.pi / 2) - np.pi / 4)
