"""The scripted expert of the scene `lift_cube`."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from robot_rl.rehearsal.expert import Advice, Vector, View, towards


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftCubeExpert:
    """Above the cube, down, close, up."""

    step_m: Vector  # (3,) translation scale of the task's action
    patience_s: float = 1.0
    hover_m: float = 0.07
    near_m: float = 0.012
    grasp_depth_m: float = 0.012
    closed_on_cube_m: float = 0.062  # fingers narrower than this around the cube hold it
    open_m: float = 0.078

    @classmethod
    def of(cls, scale: tuple[float, ...]) -> Self:
        return cls(step_m=np.array(scale[:3]))

    def advise(self, view: View) -> Advice:
        cube = view.objects["cube"][0]
        offset = cube - view.tcp_position_m
        aside = float(np.linalg.norm(offset[:2]))
        around = aside < 0.02 and abs(offset[2]) < 0.02
        axes = np.zeros(6)
        if around and view.gripper_m > self.closed_on_cube_m:
            axes[:3] = towards(offset, self.step_m) * 0.3
            return Advice(axes=axes, gripper=-1)
        if around:
            axes[2] = 1.0
            return Advice(axes=axes, gripper=-1)
        low = view.tcp_position_m[2] - cube[2] < self.hover_m - 0.03
        gripper = 1 if view.gripper_m < self.open_m else 0
        if aside > (0.03 if low else self.near_m) or (gripper and low):
            # Off to the side: go up first when low, so that the fingers do not push the cube.
            goal = cube + np.array([0.0, 0.0, self.hover_m])
            axes[:3] = towards(goal - view.tcp_position_m, self.step_m)
            if low:
                axes[:2] *= 0.2
            return Advice(axes=axes, gripper=gripper)
        axes[:3] = towards(offset, self.step_m)
        return Advice(axes=axes, gripper=gripper)

    def distance(self, view: View) -> float:
        cube = view.objects["cube"][0]
        reach = float(np.linalg.norm(cube - view.tcp_position_m))
        return reach + 2.0 * max(0.0, 0.12 - float(cube[2]))

    def recovered(self, view: View) -> bool:
        cube = view.objects["cube"][0]
        offset = view.tcp_position_m - cube
        aside = float(np.linalg.norm(offset[:2]))
        holding = aside < 0.02 and abs(offset[2]) < 0.02
        return holding or (view.gripper_m > self.open_m - 0.005 and offset[2] > 0.02)
