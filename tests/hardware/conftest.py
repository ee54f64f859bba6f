"""The simulated arm under test: its shared memory, and a driver that moves it by commands alone."""

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware import arm_topics
from hardware.arm import ArmLaunch, SceneLaunch
from hardware.arm_guard import CommandGuard, GuardedArm
from hardware.arm_process import HostedArm
from hardware.sim.driver import ARM, SimulatedArmSettings
from hardware.sim.fast_loop import FastLoop
from hardware.sim.panda import default_limits
from hardware.sim.physics import Physics
from safety import rotation

type Vector = NDArray[np.float64]

DT_NS = 2_000_000
CONTROL_NS = 5_000_000
WATCHDOG_NS = 100_000_000
PRIORITY = 70
FAR = np.full((2, 3), 10.0)
NO_LIMITS = replace(
    default_limits().cartesian,
    box_min_m=-FAR[0],
    box_max_m=FAR[0],
    clip_m=FAR,
    clip_rad=np.full((2, 3), 1.5),
    angular_speed_rad_s=1000.0,
)
"""For tests of what is behind the arm's door: they drive it against its limits."""


class Driver:
    """Moves a reference at a limited speed and waits; `send(position, quaternion, gripper)` is one
    control period, however it is carried out.
    """

    def __init__(self, send: Callable[[Vector, Vector, float], None], start: tuple[Vector, Vector]):
        self._send = send
        self.position, self.quaternion = start[0].copy(), start[1].copy()
        self.gripper, self.gripper_hold = 1.0, False
        self.hold = False

    def move(
        self,
        position: Any,
        quaternion: Vector | None = None,
        speed_m_s: float = 0.15,
    ) -> None:
        """Straight to a pose, ending when the reference is there."""
        goal = np.array(position, np.float64)
        turn = self.quaternion if quaternion is None else quaternion
        begin, begin_turn = self.position.copy(), self.quaternion.copy()
        angle = float(np.linalg.norm(rotation.minus(turn, begin_turn)))
        duration_s = max(float(np.linalg.norm(goal - begin)) / speed_m_s, angle / 0.5)
        count = max(1, round(duration_s * 1e9 / CONTROL_NS))
        for i in range(1, count + 1):
            self.position = begin + (goal - begin) * i / count
            self.quaternion = rotation.slerp(begin_turn, turn, i / count)
            self._send(self.position, self.quaternion, self.gripper)

    def wait(self, duration_s: float) -> None:
        for _ in range(round(duration_s * 1e9 / CONTROL_NS)):
            self._send(self.position, self.quaternion, self.gripper)

    def grip(self, gripper: float, duration_s: float = 0.9) -> None:
        self.gripper = gripper
        self.wait(duration_s)


class LoopDriver(Driver):
    """Drives a `FastLoop` in this process."""

    def __init__(self, loop: FastLoop) -> None:
        self.loop, self.now_ns, self.sequence, self._owed_ns = loop, 0, 0, 0
        self.guarded = GuardedArm(loop, CommandGuard(NO_LIMITS, WATCHDOG_NS))
        physics = loop.physics
        super().__init__(self.step, (physics.position_m, physics.quaternion))
        self.gripper = 0.0 if physics.task.held_at_start else 1.0

    def command(self, position: Vector, quaternion: Vector, gripper: float) -> Any:
        self.sequence += 1
        record = np.zeros((), arm_topics.COMMAND)
        record["sequence"], record["t_ns"] = self.sequence, self.now_ns
        record["valid_until_ns"] = self.now_ns + WATCHDOG_NS
        record["position"], record["quaternion"] = position, quaternion
        record["clip_m"], record["clip_rad"], record["gripper"] = 1.0, 1.0, gripper
        record["gripper_hold"], record["hold"] = self.gripper_hold, self.hold
        return record

    def step(self, position: Vector, quaternion: Vector, gripper: float) -> None:
        assert self.guarded.command(self.command(position, quaternion, gripper), self.now_ns)
        self.coast(CONTROL_NS)

    def coast(self, duration_ns: int) -> None:
        """Let time pass without commands."""
        self._owed_ns += duration_ns
        while self._owed_ns >= DT_NS:
            self._owed_ns -= DT_NS
            self.now_ns += DT_NS
            self.guarded.tick(self.now_ns)


def make_loop(task: str, seed: int = 0) -> FastLoop:
    return FastLoop(Physics(task, default_limits(), seed=seed), CONTROL_NS)


def hosted(
    folder: Path, scene: str, *, seed: int = 0, virtual: bool = False, cameras: Any = ()
) -> HostedArm:
    """The simulated arm as its process is started with it."""
    return HostedArm(
        driver=ARM,
        settings=SimulatedArmSettings(driver="simulated_panda"),
        launch=ArmLaunch(
            folder=folder,
            limits=default_limits(),
            scene=SceneLaunch(name=scene, seed=seed, virtual=virtual, cameras=cameras),
        ),
    )


@pytest.fixture
def drive() -> Callable[[str, int], LoopDriver]:
    """`drive(task, seed)`: a driver of a fresh arm."""
    return lambda task, seed: LoopDriver(make_loop(task, seed))


def lift_cube(driver: Driver, cube: Vector, yaw: float) -> None:
    """Pick the cube at `cube` (3,), turned by `yaw`, and raise it."""
    from hardware.sim.kinematics import downward

    driver.grip(1.0, 0.1)
    driver.move([cube[0], cube[1], 0.12], downward(yaw))
    driver.wait(0.2)
    driver.move([cube[0], cube[1], 0.022], speed_m_s=0.10)
    driver.wait(0.2)
    driver.grip(0.0)
    driver.move([cube[0], cube[1], 0.17])
    driver.wait(0.3)


def insert_peg(driver: Driver, socket: Vector, yaw: float, tip_m: float) -> None:
    """Push the held peg, `tip_m` long below the TCP, into the socket at `socket` (3,)."""
    from hardware.sim.kinematics import downward

    above = socket[2] + 0.040 + tip_m
    driver.move([socket[0], socket[1], above + 0.02], downward(yaw), 0.10)
    driver.wait(0.4)
    driver.move([socket[0], socket[1], above - 0.040], speed_m_s=0.04)
    driver.wait(0.5)


@pytest.fixture
def experts() -> Any:
    """Scripted solutions of both tasks, for any driver."""

    class Experts:
        lift_cube = staticmethod(lift_cube)
        insert_peg = staticmethod(insert_peg)
        driver = Driver

    return Experts


@pytest.fixture
def memory() -> Iterator[Path]:
    """A shared-memory folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="robot-rl-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


class Processes:
    """Spawned processes of one simulated cell; `end` leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._context = multiprocessing.get_context("spawn")
        self._running: list[SpawnProcess] = []

    def start(self, main: Callable[..., None], *arguments: Any) -> SpawnProcess:
        process = self._context.Process(target=main, args=arguments)
        process.start()
        self._running.append(process)
        return process

    def end(self) -> None:
        for process in self._running:
            if process.is_alive():
                process.kill()
            process.join(10.0)
            process.close()


@pytest.fixture
def processes(memory: Path) -> Iterator[Processes]:
    """Starts processes; all of them are gone afterwards."""
    started = Processes(memory)
    yield started
    started.end()
