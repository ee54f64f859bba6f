"""The scripted expert of gym-hil's PandaPickCube: above the cube, down, close, up."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from robot_rl.rehearsal.expert import Advice, Vector, View, towards

CLOSED_M = 0.01  # the environment measures what its gripper was told: open or closed


@dataclass(frozen=True, slots=True, kw_only=True)
class GymPickCubeExpert:
    """The cube rests at 0.02 m; it is lifted when it is 0.1 m higher."""

    step_m: Vector  # (3,) translation scale of the task's action
    patience_s: float = 1.0
    hover_m: float = 0.1
    near_m: float = 0.02  # beside the cube
    aside_m: float = 0.03  # a closed gripper this far from the cube holds nothing

    @classmethod
    def of(cls, scale: tuple[float, ...]) -> Self:
        return cls(step_m=np.array(scale[:3]))

    def advise(self, view: View) -> Advice:
        cube, tcp = view.objects["cube"][0], view.tcp_position_m
        offset = cube - tcp
        aside = float(np.linalg.norm(offset[:2]))
        closed = view.gripper_m < CLOSED_M
        axes = np.zeros(6)
        around = aside < self.near_m and -offset[2] < self.near_m
        if around and not closed:
            return Advice(axes=axes, gripper=-1)
        if around or (closed and aside < self.aside_m and cube[2] > 2 * self.near_m):
            axes[2] = 1.0
            return Advice(axes=axes, gripper=0)
        if aside > self.near_m:
            offset = offset + np.array([0.0, 0.0, self.hover_m])
        axes[:3] = towards(offset, self.step_m)
        return Advice(axes=axes, gripper=1 if closed else 0)

    def distance(self, view: View) -> float:
        cube = view.objects["cube"][0]
        reach = float(np.linalg.norm(cube - view.tcp_position_m))
        return reach - 2.0 * max(0.0, float(cube[2]) - 0.03)

    def recovered(self, view: View) -> bool:
        del view  # a correction begins with the takeover
        return True
