"""The actor of `bench policy`: the product's, with the scripted expert as a policy that answers in
chunks and thinks as long as it is told.

It sees the simulator's truth, so that what is measured is the way of a chunk and not what a network
can see.
"""

import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks import fault_actor
from hardware import simulation_topics
from robot_rl.config.task import Task
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.rehearsal.expert import View, expert_for

if TYPE_CHECKING:
    from robot_rl.policy.interface import Chunk, Observation

STEPS = 16
"""Actions of one chunk, 1.6 s of lift_cube."""
_FINGERS_M_S = 0.10  # hardware/sim/driver.py
_OPEN_M, _CUBE_M = 0.085, 0.06
_GRASPED_M = 0.062  # as the expert judges
_HELD_M = 0.02  # a hand so near is around the cube


class ChunkedExpert:
    """Where the expert would go from here, step by step, if every step did what it asks."""

    version: int | None = None

    def __init__(self, task: Task, memory: Path, thinks_s: "Synchronized[float]") -> None:
        self._expert = expert_for(task.scene, task.action.scale)
        self._scale = np.array(task.action.scale[:3])
        self._columns, self._step_s = task.action.size, task.step_s
        self._truth = simulation_topics.open_truth(memory)
        self._thinks_s = thinks_s

    def reset(self) -> None:
        """It carries nothing over."""

    def act(
        self, observation: "Observation", rng: np.random.Generator, *, deterministic: bool = False
    ) -> "Chunk":
        from robot_rl.policy.interface import Chunk

        del rng, deterministic
        began = time.monotonic()
        state = dict(zip(observation.state_names, observation.state.tolist(), strict=True))
        hand = np.array([state[f"tcp_position_{axis}_m"] for axis in "xyz"])
        cube = np.array(self._truth.read()["poses"][0, :3])
        actions = self._planned(hand, cube, state["gripper_m"])
        time.sleep(max(0.0, self._thinks_s.value - (time.monotonic() - began)))
        return Chunk(actions=actions, version=self.version)

    def _planned(
        self, hand: NDArray[np.float64], cube: NDArray[np.float64], gripper_m: float
    ) -> NDArray[np.float64]:
        actions = np.zeros((STEPS, self._columns))
        upright = np.array([1.0, 0.0, 0.0, 0.0])
        for row in actions:
            view = View(
                t_s=0.0,
                tcp_position_m=hand,
                tcp_quaternion=upright,
                gripper_m=gripper_m,
                objects={"cube": (cube, upright)},
                success=False,
                progress=0.0,
            )
            advice = self._expert.advise(view)
            row[:6], row[-1] = advice.axes, advice.gripper
            moves = advice.axes[:3] * self._scale
            around = bool(np.linalg.norm(cube - hand) < _HELD_M)
            if around and gripper_m <= _GRASPED_M:
                cube = cube + moves
            hand = hand + moves
            gripper_m += advice.gripper * _FINGERS_M_S * self._step_s
            gripper_m = float(np.clip(gripper_m, _CUBE_M if around else 0.0, _OPEN_M))
        return actions


def main(settings: DaemonSettings, thinks_s: "Synchronized[float]") -> None:
    policy = ChunkedExpert(settings.task, settings.memory, thinks_s)
    fault_actor.run(settings, policy)
