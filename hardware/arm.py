"""The seam of arms: what a driver is, what it says of its arm, and what `arm_process` asks of it.

A driver is one `ArmDriver`, named by an entry point of the group `robot_rl.arms`. It is hosted by
`hardware.arm_process`, which publishes what it measures, lets in only commands that pass the arm's
own door (`hardware.arm_guard`), and runs the watchdog.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hardware.driver import DriverSettings
from hardware.gripper import GripperDescription
from hardware.memory import Record
from safety.command import CartesianTarget, SafeCommand
from safety.limits import ArmLimits
from safety.shape import ArmShape
from safety.vocabulary import ONLY_ARM

type Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """One measurement of the arm. SI units, radians; poses and twists are `tcp_in_base`."""

    t_ns: int
    tick: int
    q_rad: Vector  # (joints,)
    dq_rad_s: Vector  # (joints,)
    torque_nm: Vector  # (joints,) as the arm's own loop commands them
    position_m: Vector  # (3,)
    quaternion_wxyz: Vector  # (4,)
    twist: Vector  # (6,) linear m/s, angular rad/s
    wrench: Vector  # (6,) external force N and torque Nm at the TCP
    gripper_m: float  # opening between the fingers
    gripper_target_m: float  # what it moves to, or squeezes towards
    gripper_moving: bool
    limits: int  # bit flags of the limits that acted in the arm's own loop (safety.vocabulary)
    braking: bool  # the arm's own watchdog or a fault holds it
    fault: str  # vendor fault or protective stop, empty when there is none
    sensors: Vector = field(default_factory=lambda: np.zeros(0))  # as the description names them
    jacobian: Vector | None = None  # (6, joints) of the TCP; None where the description has none

    @property
    def not_finite(self) -> tuple[str, ...]:
        """Names of the measurements that are NaN or infinite, by which nobody may go on."""
        return tuple(name for name in _MEASURED if not _finite(getattr(self, name)))


def _finite(measured: Vector | float | None) -> bool:
    if isinstance(measured, np.ndarray):
        return all(map(math.isfinite, measured.ravel().tolist()))
    return measured is None or math.isfinite(measured)


_MEASURED = (
    "q_rad",
    "dq_rad_s",
    "position_m",
    "quaternion_wxyz",
    "twist",
    "wrench",
    "gripper_m",
    "sensors",
    "jacobian",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationDescription:
    """What a simulated arm offers beside what any arm does (hardware.simulation_topics)."""

    step_ns: int  # of its physics: the step grid of a task is a multiple of it
    scenes: tuple[str, ...]  # names a task may ask for
    cameras: tuple[str, ...] = ()  # of every scene
    renderer: str = ""  # `module:function` of the process that draws them; takes an ArmLaunch
    draws_itself: bool = False  # in place of a renderer: the arm's process publishes the images
    changes_view: bool = False  # it can move cameras and change the light, as a SceneLaunch says

    def __post_init__(self) -> None:
        if self.cameras and not (self.renderer or self.draws_itself):
            raise ValueError("a simulation with cameras must name the renderer that draws them")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDescription:
    """What is fixed about an arm. Tuples have one value for each joint. SI units, radians."""

    joint_names: tuple[str, ...]
    position_min_rad: tuple[float, ...]
    position_max_rad: tuple[float, ...]
    velocity_rad_s: tuple[float, ...]
    torque_nm: tuple[float, ...]  # the most its motors give
    acceleration_rad_s2: tuple[float, ...] | None = None
    """Where it is given, every measurement has a Jacobian, and the gate bounds the joints' range,
    speed and acceleration. None: the driver knows no Jacobian, and the gate knows of no joints."""
    shape: ArmShape | None = None
    """Where its joints are and what encloses its links: then the gate keeps them from one another
    and from the cell's boxes. It needs the accelerations and the Jacobian."""
    commands: tuple[type[SafeCommand], ...] = (CartesianTarget,)  # kinds that it can follow
    watchdog: Literal["host", "vendor"]  # vendor: the arm also stops when its process is gone
    gripper: GripperDescription | None
    period_ns: int  # of its process: one tick of the driver
    torque_period_ns: int | None = None
    """Of the loop of ours that gives it its torque (`hardware.torque_arm`); None: its controller
    closes that loop. A real arm is refused where the self-test of such a loop is poor."""
    base_frame: str = "base"
    tcp_frame: str = "tcp"
    sensors: tuple[str, ...] = ()  # what else it measures: names with units, as `block_x_m`
    simulation: SimulationDescription | None = None  # None: a real robot

    def __post_init__(self) -> None:
        joints = len(self.joint_names)
        for name in ("position_min_rad", "position_max_rad", "velocity_rad_s", "torque_nm"):
            if len(getattr(self, name)) != joints:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} values; the arm has {joints} joints"
                )
        if self.acceleration_rad_s2 is not None and len(self.acceleration_rad_s2) != joints:
            raise ValueError(
                f"acceleration_rad_s2 has {len(self.acceleration_rad_s2)} values; the arm has "
                f"{joints} joints"
            )
        if self.shape is not None and len(self.shape.axes) != joints:
            raise ValueError(f"shape has {len(self.shape.axes)} axes; the arm has {joints} joints")
        if self.shape is not None and self.acceleration_rad_s2 is None:
            raise ValueError("shape needs acceleration_rad_s2, and a Jacobian in each measurement")
        if self.period_ns <= 0:
            raise ValueError(f"period_ns is {self.period_ns}: it must be above 0")
        if self.torque_period_ns is not None and self.torque_period_ns <= 0:
            raise ValueError(f"torque_period_ns is {self.torque_period_ns}: it must be above 0")
        if CartesianTarget not in self.commands:
            raise ValueError("commands must name CartesianTarget: the gate makes no other kind yet")

    @property
    def joints(self) -> int:
        return len(self.joint_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneLaunch:
    """What a simulated arm is started with besides."""

    name: str  # one of the description's scenes
    seed: int = 0  # of the first episode; later ones come with the placing requests
    virtual: bool = False  # lock-step on the virtual clock
    step_ns: int = 100_000_000  # of the step grid: cameras see the scene at its multiples
    cameras: tuple[tuple[str, int, int], ...] = ()  # name, width, height
    cameras_moved_m: tuple[float, ...] = (0.0, 0.0, 0.0)  # right, up, back in each one's picture
    light: tuple[float, ...] = (1.0, 1.0, 1.0)  # what is left of red, green and blue


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmLaunch:
    """What the process of an arm is started with, whichever driver it hosts."""

    folder: Path  # the daemon's shared memory; hardware.arm_topics.arm_folder is the arm's own
    name: str = ONLY_ARM
    limits: ArmLimits  # the cell's, tightened by the task
    control_period_ns: int = 5_000_000
    watchdog_ns: int = 100_000_000  # without a new command for this long, the arm brakes
    latch_ns: int = 250_000_000  # a loop that stood still longer brakes and says so
    scene: SceneLaunch | None = None  # None: a real robot

    @property
    def virtual(self) -> bool:
        return self.scene is not None and self.scene.virtual


class Scene(Protocol):
    """What a simulated arm stands in; it publishes what only a simulation knows."""

    def place(self, seed: int, *, with_arm: bool) -> None:
        """Put the objects where `seed` says; with_arm also puts the arm at its start, at rest."""
        ...

    def show(self, now_ns: int) -> None:
        """Publish the scene for its cameras."""
        ...

    def tell(self, now_ns: int) -> None:
        """Publish the true state (hardware.simulation_topics.TRUTH)."""
        ...


class Arm(Protocol):
    """An opened arm inside `arm_process`. Nothing here may block for longer than a period."""

    scene: Scene | None  # None: a real robot

    @property
    def braking(self) -> bool:
        """The arm stands by a brake of its own, by `brake` or by a stop of the vendor's."""
        ...

    def warm_up(self) -> None:
        """Do now what would make the first tick late."""
        ...

    def follow(self, command: Record, now_ns: int) -> None:
        """The newest command that the door let in (hardware.arm_topics.COMMAND)."""
        ...

    def tick(self, now_ns: int) -> None:
        """One period of the arm's own loop, ending at robot time `now_ns`. Raises ArmLost."""
        ...

    def measure(self, now_ns: int) -> ArmState:
        """The newest measurement, of `now_ns` or as old as it really is; never an old one as new.
        Arrays may be views that the next tick changes.
        """
        ...

    def brake(self, why: str) -> None:
        """Stop and hold; `why` is the fault until a person clears it. The gripper stays."""
        ...

    def clear(self) -> str:
        """Leave braking without starting motion; why not, or nothing when it has."""
        ...

    def close(self) -> None:
        """Let go of the device. The arm holds or brakes by itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDriver:
    """What an entry point of `robot_rl.arms` names. Importing it must load no device library."""

    settings: type[DriverSettings]
    describe: Callable[[Any], ArmDescription]  # of settings: ranges may depend on them
    open: Callable[[Any, ArmLaunch], Arm]  # of settings; raises ArmLost


class ArmLost(RuntimeError):
    """The arm's measurements stopped arriving, or it cannot be reached."""
