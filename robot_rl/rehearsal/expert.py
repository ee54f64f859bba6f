"""Scripted experts: what a skilled person would do next, from the simulator's true state.

They exist for rehearsals only. A policy or a learner never sees what they see.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from robot_rl.schema.live import SimulatorTruth, Telemetry

type Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the scripted operator sees at one moment. SI units, base frame; quaternions wxyz."""

    t_s: float
    tcp_position_m: Vector
    tcp_quaternion: Vector
    gripper_m: float
    objects: dict[str, tuple[Vector, Vector]]  # name → position (3,), quaternion (4,)
    success: bool
    progress: float  # of the task, 0 … 1, by the simulator

    @classmethod
    def of(cls, telemetry: Telemetry, truth: SimulatorTruth) -> Self:
        return cls(
            t_s=telemetry.t_ns * 1e-9,
            tcp_position_m=np.array(telemetry.tcp_position_m),
            tcp_quaternion=np.array(telemetry.tcp_quaternion_wxyz),
            gripper_m=telemetry.gripper_m,
            objects={
                item.name: (np.array(item.position_m), np.array(item.quaternion_wxyz))
                for item in truth.objects
            },
            success=truth.success,
            progress=truth.progress,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A person's input: axes (6,) in −1 … 1 of one action step, and the gripper command."""

    axes: Vector
    gripper: int


class Expert(Protocol):
    def advise(self, view: View) -> Advice: ...

    def distance(self, view: View) -> float:
        """How far the task is from done, in metres or the like; falls while things go well."""
        ...

    def recovered(self, view: View) -> bool:
        """Whether the arm is back in a state from which a demonstration may start."""
        ...


def yaw_of(quaternion: Vector) -> float:
    """Rotation about the vertical, rad."""
    w, x, y, z = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def _towards(offset: Vector, step: Vector, gain: float = 0.8) -> Vector:
    """Axes (3,) that cover `gain` of `offset` per step, at most one step's scale; axes without a
    scale stay 0.
    """
    safe = np.where(step > 0, step, 1.0)
    return np.where(step > 0, np.clip(gain * offset / safe, -1.0, 1.0), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftCubeExpert:
    """Above the cube, down, close, up."""

    step_m: Vector  # (3,) translation scale of the task's action
    hover_m: float = 0.07
    near_m: float = 0.012
    grasp_depth_m: float = 0.012
    closed_on_cube_m: float = 0.062  # fingers narrower than this around the cube hold it
    open_m: float = 0.078

    def advise(self, view: View) -> Advice:
        cube = view.objects["cube"][0]
        offset = cube - view.tcp_position_m
        aside = float(np.linalg.norm(offset[:2]))
        around = aside < 0.02 and abs(offset[2]) < 0.02
        axes = np.zeros(6)
        if around and view.gripper_m > self.closed_on_cube_m:
            axes[:3] = _towards(offset, self.step_m) * 0.3
            return Advice(axes=axes, gripper=-1)
        if around:
            axes[2] = 1.0
            return Advice(axes=axes, gripper=-1)
        low = view.tcp_position_m[2] - cube[2] < self.hover_m - 0.03
        gripper = 1 if view.gripper_m < self.open_m else 0
        if aside > (0.03 if low else self.near_m) or (gripper and low):
            # Off to the side: go up first when low, so that the fingers do not push the cube.
            goal = cube + np.array([0.0, 0.0, self.hover_m])
            axes[:3] = _towards(goal - view.tcp_position_m, self.step_m)
            if low:
                axes[:2] *= 0.2
            return Advice(axes=axes, gripper=gripper)
        axes[:3] = _towards(offset, self.step_m)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertPegExpert:
    """Above the hole, turned with it, down; backs off when the peg sits on the rim."""

    step_m: Vector
    step_rad: float  # yaw scale of the task's action
    tip_m: float = 0.067  # from the peg's origin to its tip
    top_m: float = 0.040  # height of the socket
    hover_m: float = 0.012  # between tip and socket while aligning
    near_m: float = 0.0015
    chamfer_m: float = 0.0065  # of the tip; until it is inside, the shaft may sit on the rim
    wiggle: float = 0.1  # of the axes: a circle of about 1.5 mm
    wiggle_hz: float = 1.5
    # Eye, hand and arm answer after about 0.2 s: at 0.8 per step of 0.1 s the peg swings ± 7 mm
    # about the hole for ever, as k·delay > 1 there.
    gain: float = 0.35

    def advise(self, view: View) -> Advice:
        peg, peg_quaternion = view.objects["peg"]
        hole, hole_quaternion = view.objects["socket"]
        aside = hole[:2] - peg[:2]
        tip = float(peg[2]) - self.tip_m
        turn = _quarter(yaw_of(hole_quaternion) - yaw_of(peg_quaternion))
        aligned = float(np.linalg.norm(aside)) < self.near_m and abs(turn) < 0.03
        inside = tip < self.top_m - 0.004
        height = 0.0 if aligned or inside else self.top_m + self.hover_m
        offset = np.array([aside[0], aside[1], height - tip])
        if not aligned and not inside and tip < self.top_m + 0.5 * self.hover_m:
            offset[:2] *= 0.5  # lift off the rim before sliding
        axes = np.zeros(6)
        axes[:3] = _towards(offset, self.step_m, self.gain)
        if aligned or inside:
            axes[2] = max(axes[2], -0.6)
        if self.top_m - self.chamfer_m < tip < self.top_m + 0.002:
            # On the rim, pressed down, friction holds it a fraction of a millimetre off: wiggle.
            phase = 2 * np.pi * self.wiggle_hz * view.t_s
            axes[:2] += self.wiggle * np.array([np.cos(phase), np.sin(phase)])
            axes[2] = max(axes[2], -0.3)
        if self.step_rad > 0:
            axes[5] = float(np.clip(self.gain * turn / self.step_rad, -1.0, 1.0))
        return Advice(axes=axes, gripper=0)

    def distance(self, view: View) -> float:
        peg, hole = view.objects["peg"][0], view.objects["socket"][0]
        tip = float(peg[2]) - self.tip_m
        return float(np.linalg.norm(hole[:2] - peg[:2])) + max(0.0, tip - 0.012)

    def recovered(self, view: View) -> bool:
        peg, hole = view.objects["peg"][0], view.objects["socket"][0]
        inside = float(np.linalg.norm(hole[:2] - peg[:2])) < 2 * self.near_m
        return inside or float(peg[2]) - self.tip_m > self.top_m


def _quarter(angle: float) -> float:
    """The equivalent turn of a square, in −45° … 45°."""
    return float((angle + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def expert_for(scene: str, scale: tuple[float, ...]) -> Expert:
    """The expert of a scene; `scale` (6,) is the task's action scale. KeyError: unknown."""
    step_m = np.array(scale[:3])
    if scene == "lift_cube":
        return LiftCubeExpert(step_m=step_m)
    if scene == "insert_peg":
        return InsertPegExpert(step_m=step_m, step_rad=scale[5])
    raise KeyError(f"there is no scripted expert for the scene {scene!r}")
