"""The 1 kHz torque loop beside the empty loop: two busy processes take both cores meanwhile.

Both are the same thread with the same clock; the empty one neither measures an arm nor chooses a
torque. The arm is the simulated one, which follows references at 200 Hz; its physics runs after the
torque is ready, as the time of an arm's own electronics would.
"""

import math
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hardware import self_test
from hardware.loop_times import Lateness
from hardware.sim.kinematics import HOME_RAD
from hardware.sim.panda import default_limits
from hardware.sim.physics import Physics
from hardware.sim.torque_seam import SimulatedSeam
from hardware.torque_loop import PRIORITY, TorqueLoop

PERIOD_NS = self_test.PERIOD_NS
CONTROL_S = 0.005
VALID_NS = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One after the other, beside the same work."""

    empty: Lateness
    torque: Lateness
    trips: int  # how often the loop braked

    @property
    def ratio(self) -> float:
        """Of p99.9: deadline to torque ready, over deadline to awake of the empty loop."""
        return self.torque.ready.p999 / self.empty.ready.p999


def pairs(rounds: int, seconds: float) -> list[Pair]:
    """Interleaved, each of both so long. The caller says how its own thread is scheduled."""
    physics = Physics("lift_cube", default_limits(), seed=0, physics_dt_s=PERIOD_NS * 1e-9)
    physics.step(physics.position_m, physics.quaternion)  # the gripper gets its set-point
    found: list[Pair] = []
    for _ in range(rounds):
        empty, _ = self_test.empty_loop(seconds, PRIORITY)
        torque, trips = _torque(physics, seconds)
        found.append(Pair(empty=empty, torque=torque, trips=trips))
    return found


def _torque(physics: Physics, seconds: float) -> tuple[Lateness, int]:
    physics.place(0, with_arm=True)
    simulated = SimulatedSeam(physics)
    start, facing = physics.position_m.copy(), physics.quaternion.copy()
    clips = np.concatenate([np.full((2, 3), 0.01), np.full((2, 3), 0.1)], axis=1)
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-", dir="/dev/shm") as folder:
        loop = TorqueLoop(simulated.seam, default_limits(), HOME_RAD, Path(folder))
        loop.start(PRIORITY)
        try:
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                now_ns = time.monotonic_ns()
                up_m = 0.02 * (1.0 - math.cos(math.pi * passed))
                loop.refer(
                    start + np.array([0.0, 0.0, up_m]),
                    facing,
                    clips,
                    made_ns=now_ns,
                    valid_until_ns=now_ns + VALID_NS,
                )
                time.sleep(CONTROL_S)
            trips = int(loop.newest()["trips"])
        finally:
            loop.close()
        return loop.counts.times(), trips


def _work() -> None:
    matrix = np.random.default_rng(0).normal(size=(500, 500))  # 2 MB: caches do not hold it
    while True:
        matrix = np.sin(matrix + matrix.T)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that compute without a pause, scheduled as any program is."""
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_work, daemon=True) for _ in range(processes)]
    for process in running:
        process.start()
    try:
        time.sleep(1.0)  # they have begun
        yield
    finally:
        for process in running:
            process.kill()
            process.join()
