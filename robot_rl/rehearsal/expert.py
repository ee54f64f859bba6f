"""Scripted experts: what a skilled person would do next, from the simulator's true state.

They exist for rehearsals only. A policy or a learner never sees what they see. An expert has the
name of its scene, as an entry point of the group `robot_rl.experts`; a package that brings a
simulated arm with scenes of its own brings their experts too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from robot_rl.config import drivers
from robot_rl.errors import BadInput
from robot_rl.schema.live.robot_message import SimulatorTruth
from robot_rl.schema.live.telemetry import Telemetry

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
        arm = next(iter(telemetry.arms.values()))  # a simulated cell has one
        return cls(
            t_s=telemetry.t_ns * 1e-9,
            tcp_position_m=np.array(arm.tcp_position_m),
            tcp_quaternion=np.array(arm.tcp_quaternion_wxyz),
            gripper_m=arm.gripper_m,
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
    @property
    def patience_s(self) -> float:
        """How long a person who knows the task watches a robot that gets no closer: longer than
        they would need themselves where it is slow, or they take over from a robot that does as
        well as they would.
        """
        ...

    def advise(self, view: View) -> Advice: ...

    def distance(self, view: View) -> float:
        """How far the task is from done, in metres or the like; falls while things go well."""
        ...

    def recovered(self, view: View) -> bool:
        """Whether the arm is back in a state from which a demonstration may start."""
        ...


type ExpertMaker = Callable[[tuple[float, ...]], Expert]
"""What an entry point names. Called with the task's action scale: m or rad per unit and step, in
the order of the axes (robot_rl.config.action).
"""


class NoExpert(BadInput):
    """Nobody can play the operator in this scene: the message names the scenes that have one."""


def expert_for(scene: str, scale: tuple[float, ...]) -> Expert:
    """The expert of a scene, for a task's action scale. Raises NoExpert."""
    try:
        maker = cast(ExpertMaker, drivers.find(drivers.EXPERTS, scene))
    except ValueError as error:
        raise NoExpert(str(error)) from error
    return maker(scale)


def towards(offset: Vector, step: Vector, gain: float = 0.8) -> Vector:
    """Axes (3,) that cover `gain` of `offset` per step, at most one step's scale; axes without a
    scale stay 0.
    """
    safe = np.where(step > 0, step, 1.0)
    return np.where(step > 0, np.clip(gain * offset / safe, -1.0, 1.0), 0.0)
