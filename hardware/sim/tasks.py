"""The tasks of the simulated cell: objects, where a seed puts them, and when they count as done.

A task adds its bodies to the scene, places them by seed, and judges the result from the simulator's
own state. It knows nothing of control, rewards or episodes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

type Vector = NDArray[np.float64]

_BOX = mujoco.mjtGeom.mjGEOM_BOX


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPose:
    """Where the TCP begins an episode, `tcp_in_base`."""

    position_m: Vector  # (3,)
    yaw_rad: float  # about the vertical, 0: fingers open along y
    opening_m: float  # of the gripper


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How far the task has come, by the simulator's own state."""

    success: bool
    progress: float  # 0 … 1
    held: bool  # the task's object touches both fingers
    measure_m: float  # lift height, or insertion depth


class SimTask(Protocol):
    """One job in the simulated cell."""

    objects: ClassVar[tuple[str, ...]]  # bodies whose poses are published as truth
    held_at_start: ClassVar[str | None]  # body placed between the closed fingers at a reset

    def add_objects(self, spec: mujoco.MjSpec) -> None: ...

    def start_pose(self, seed: int) -> StartPose: ...

    def place(self, data: mujoco.MjData, seed: int) -> None:
        """Put the objects where `seed` says (those not held)."""
        ...

    def judge(self, model: mujoco.MjModel, data: mujoco.MjData) -> Judgement: ...


def _rng(seed: int, stream: int) -> np.random.Generator:
    """Independent streams of one episode seed: 0 objects, 1 start pose."""
    return np.random.default_rng([seed, stream])


def _yaw_quaternion(yaw_rad: float) -> Vector:
    return np.array([np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)])


def body_pose(data: mujoco.MjData, name: str) -> tuple[Vector, Vector]:
    """Position (3,) m and quaternion (4,) wxyz of a body, in the base frame."""
    body: Any = data.body(name)
    return np.array(body.xpos), np.array(body.xquat)


def touches_both_fingers(model: mujoco.MjModel, data: mujoco.MjData, name: str) -> bool:
    """Whether the body `name` is in contact with the left and the right finger pad."""
    body = model.body(name).id
    left, right = model.body("left_pad").id, model.body("right_pad").id
    seen: set[int] = set()
    for one, two in model.geom_bodyid[data.contact.geom[: data.ncon]].tolist():
        if one == body:
            seen.add(two)
        elif two == body:
            seen.add(one)
    return left in seen and right in seen


class LiftCube:
    """Pick a red cube off the table and raise it by 10 cm."""

    objects: ClassVar[tuple[str, ...]] = ("cube",)
    held_at_start: ClassVar[str | None] = None

    HALF_M: ClassVar[float] = 0.02
    LIFT_M: ClassVar[float] = 0.10
    REGION_M: ClassVar[tuple[tuple[float, float], tuple[float, float]]] = (
        (0.40, 0.54),  # x
        (-0.12, 0.12),  # y
    )
    YAW_RAD: ClassVar[float] = np.pi / 6

    def add_objects(self, spec: mujoco.MjSpec) -> None:
        cube = spec.worldbody.add_body(name="cube", pos=[0.47, 0.0, self.HALF_M])
        cube.add_freejoint(name="cube")
        cube.add_geom(
            name="cube",
            type=_BOX,
            size=[self.HALF_M] * 3,
            mass=0.08,
            rgba=[0.86, 0.13, 0.11, 1.0],
            friction=[0.9, 0.01, 0.0001],
            condim=4,
        )

    def start_pose(self, seed: int) -> StartPose:
        rng = _rng(seed, 1)
        return StartPose(
            position_m=np.array([0.44, 0.0, 0.18]) + rng.uniform(-0.02, 0.02, 3),
            yaw_rad=float(rng.uniform(-0.08, 0.08)),
            opening_m=0.085,
        )

    def place(self, data: mujoco.MjData, seed: int) -> None:
        rng = _rng(seed, 0)
        low, high = np.array(self.REGION_M).T
        joint: Any = data.joint("cube")
        joint.qpos[:2] = rng.uniform(low, high)
        joint.qpos[2] = self.HALF_M
        joint.qpos[3:] = _yaw_quaternion(rng.uniform(-self.YAW_RAD, self.YAW_RAD))
        joint.qvel[:] = 0.0

    def judge(self, model: mujoco.MjModel, data: mujoco.MjData) -> Judgement:
        position, _ = body_pose(data, "cube")
        height = float(position[2]) - self.HALF_M
        held = touches_both_fingers(model, data, "cube")
        return Judgement(
            success=held and height >= self.LIFT_M,
            progress=float(np.clip(height / self.LIFT_M, 0.0, 1.0)) if held else 0.0,
            held=held,
            measure_m=height,
        )


class InsertPeg:
    """Push a held square peg into a square hole, 1.5 mm wider than the peg."""

    objects: ClassVar[tuple[str, ...]] = ("peg", "socket")
    held_at_start: ClassVar[str | None] = "peg"

    PEG_HALF_M: ClassVar[float] = 0.010
    PEG_LENGTH_M: ClassVar[float] = 0.045  # of the shaft, below the handle
    HANDLE_HALF_M: ClassVar[tuple[float, float, float]] = (0.014, 0.014, 0.022)
    CLEARANCE_M: ClassVar[float] = 0.0015  # total, over both sides
    WALL_M: ClassVar[float] = 0.014
    DEPTH_M: ClassVar[float] = 0.030
    FLOOR_M: ClassVar[float] = 0.010  # under the hole
    DONE: ClassVar[float] = 0.8  # of the depth
    REGION_M: ClassVar[tuple[tuple[float, float], tuple[float, float]]] = (
        (0.44, 0.50),
        (-0.04, 0.04),
    )
    YAW_RAD: ClassVar[float] = np.radians(8.0)

    @property
    def tip_m(self) -> float:
        """Distance from the peg's origin (the middle of its handle) down to its tip."""
        return self.HANDLE_HALF_M[2] + self.PEG_LENGTH_M

    def add_objects(self, spec: mujoco.MjSpec) -> None:
        self._add_peg(spec)
        self._add_socket(spec)

    def _add_peg(self, spec: mujoco.MjSpec) -> None:
        # The peg's z axis points up, so its shaft extends along −z from the handle.
        chamfer = 0.005
        peg = spec.worldbody.add_body(name="peg", pos=[0.45, 0.0, 0.2])
        peg.add_freejoint(name="peg")
        rigid = {"friction": [0.4, 0.005, 0.0001], "solref": [0.004, 1.0], "condim": 4}
        peg.add_geom(
            name="peg_handle",
            type=_BOX,
            size=list(self.HANDLE_HALF_M),
            mass=0.04,
            rgba=[0.98, 0.72, 0.10, 1.0],
            **rigid,
        )
        half = (self.PEG_LENGTH_M - chamfer) / 2
        peg.add_geom(
            name="peg_shaft",
            type=_BOX,
            pos=[0.0, 0.0, -self.HANDLE_HALF_M[2] - half],
            size=[self.PEG_HALF_M, self.PEG_HALF_M, half],
            mass=0.02,
            rgba=[0.96, 0.62, 0.08, 1.0],
            **rigid,
        )
        tip = self.PEG_HALF_M - 0.0025
        peg.add_geom(
            name="peg_tip",
            type=_BOX,
            pos=[0.0, 0.0, -self.tip_m + chamfer / 2],
            size=[tip, tip, chamfer / 2],
            mass=0.002,
            rgba=[0.80, 0.45, 0.05, 1.0],
            **rigid,
        )

    def _add_socket(self, spec: mujoco.MjSpec) -> None:
        # A mocap body: bolted to the table, yet a reset can put it elsewhere.
        socket = spec.worldbody.add_body(name="socket", pos=[0.47, 0.0, 0.0], mocap=True)
        hole = self.PEG_HALF_M + self.CLEARANCE_M / 2
        wall, height = self.WALL_M / 2, (self.DEPTH_M + self.FLOOR_M) / 2
        outer = hole + self.WALL_M
        rigid = {"friction": [0.3, 0.005, 0.0001], "solref": [0.004, 1.0]}
        colour = [0.16, 0.38, 0.72, 1.0]
        for name, x, y, size in (
            ("front", hole + wall, 0.0, [wall, outer, height]),
            ("back", -hole - wall, 0.0, [wall, outer, height]),
            ("left", 0.0, hole + wall, [hole, wall, height]),
            ("right", 0.0, -hole - wall, [hole, wall, height]),
        ):
            socket.add_geom(
                name=f"socket_{name}",
                type=_BOX,
                pos=[x, y, height],
                size=size,
                rgba=colour,
                **rigid,
            )
        socket.add_geom(
            name="socket_floor",
            type=_BOX,
            pos=[0.0, 0.0, self.FLOOR_M / 2],
            size=[hole, hole, self.FLOOR_M / 2],
            rgba=[0.05, 0.08, 0.14, 1.0],
            **rigid,
        )

    def start_pose(self, seed: int) -> StartPose:
        rng = _rng(seed, 1)
        return StartPose(
            position_m=np.array([0.47, 0.0, 0.20]) + rng.uniform(-0.015, 0.015, 3),
            yaw_rad=float(rng.uniform(-0.05, 0.05)),
            opening_m=2 * self.HANDLE_HALF_M[1],
        )

    def place(self, data: mujoco.MjData, seed: int) -> None:
        rng = _rng(seed, 0)
        low, high = np.array(self.REGION_M).T
        mocap = int(data.model.body("socket").mocapid[0])
        data.mocap_pos[mocap, :2] = rng.uniform(low, high)
        data.mocap_pos[mocap, 2] = 0.0
        data.mocap_quat[mocap] = _yaw_quaternion(rng.uniform(-self.YAW_RAD, self.YAW_RAD))

    def judge(self, model: mujoco.MjModel, data: mujoco.MjData) -> Judgement:
        peg: Any = data.body("peg")
        socket: Any = data.body("socket")
        tip = peg.xpos - self.tip_m * peg.xmat.reshape(3, 3)[:, 2]
        offset = socket.xmat.reshape(3, 3).T @ (tip - socket.xpos)
        inside = bool(np.all(np.abs(offset[:2]) < self.CLEARANCE_M / 2 + 0.003))
        depth = max(0.0, self.DEPTH_M + self.FLOOR_M - float(offset[2])) if inside else 0.0
        return Judgement(
            success=depth >= self.DONE * self.DEPTH_M,
            progress=float(np.clip(depth / self.DEPTH_M, 0.0, 1.0)),
            held=touches_both_fingers(model, data, "peg"),
            measure_m=depth,
        )


TASKS: dict[str, type[LiftCube] | type[InsertPeg]] = {
    "lift_cube": LiftCube,
    "insert_peg": InsertPeg,
}
