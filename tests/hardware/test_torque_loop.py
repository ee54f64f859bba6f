"""The torque loop's thread, with MuJoCo's physics behind its seam: it follows, brakes, counts, and
needs neither the GIL nor memory. The arm moves on by one step in each of its ticks, so that load
makes the tests slow and not wrong.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np
import pytest

from hardware.compiled_slot import now_ns
from hardware.sim.kinematics import HOME_RAD
from hardware.sim.panda import default_limits
from hardware.sim.physics import Physics
from hardware.sim.torque_seam import SimulatedSeam
from hardware.torque_loop import PRIORITY, TorqueLoop
from safety import rotation
from safety.impedance import impedance_torque, law, scratch
from safety.torque_tick import Cause, seen
from safety.vocabulary import Limit
from tests.hardware.still_seam import (
    FIRST,
    FOREVER_NS,
    MEASURED_NS,
    TAKEN,
    UNIT,
    UNSENT,
    still_seam,
    still_values,
)

RUNTIME = cast(Any, numba).core.runtime  # it has no types

MS = 1_000_000
CLIPS = np.concatenate([np.full((2, 3), 0.01), np.full((2, 3), 0.1)], axis=1)
PATIENCE_S = 90.0


def wait_for(found: Callable[[], bool], what: str) -> None:
    """Until it is so; a test that waits in vain fails."""
    end = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.002)


def wait_ticks(loop: TorqueLoop, ticks: int) -> None:
    until = loop.ticks + ticks
    wait_for(lambda: loop.ticks >= until, f"{ticks} ticks")


class Stand:
    """A loop that drives the simulated arm."""

    def __init__(self, folder: Path, **settings: int) -> None:
        physics = self.physics = Physics("lift_cube", default_limits(), seed=0, physics_dt_s=0.001)
        physics.step(physics.position_m, physics.quaternion)  # the gripper gets its set-point
        self.start = physics.position_m.copy()
        self.facing = physics.quaternion.copy()
        self.simulated = SimulatedSeam(physics)
        # Real threads on a loaded machine: no test but those of the watchdog waits for it.
        given = {"watchdog_ns": FOREVER_NS, "latch_ns": FOREVER_NS} | settings
        self.loop = TorqueLoop(self.simulated.seam, default_limits(), HOME_RAD, folder, **given)

    def refer(self, up_m: float) -> None:
        now_ns = time.monotonic_ns()
        self.loop.refer(
            self.start + np.array([0.0, 0.0, up_m]),
            self.facing,
            CLIPS,
            made_ns=now_ns,
            valid_until_ns=FOREVER_NS,
        )

    @property
    def raised_m(self) -> float:
        return float(self.loop.newest()["position"][2] - self.start[2])

    @property
    def speed_m_s(self) -> float:
        at = self.loop.newest()
        return float(np.linalg.norm((at["jacobian"] @ at["dq"])[:3]))

    @property
    def cause(self) -> Cause:
        return Cause(int(self.loop.newest()["cause"]))


@pytest.fixture
def stand(memory: Path) -> Iterator[Callable[..., Stand]]:
    made: list[Stand] = []

    def make(**settings: int) -> Stand:
        made.append(Stand(memory, **settings))
        made[-1].loop.start(PRIORITY)
        return made[-1]

    yield make
    for each in made:
        each.loop.close()


FAR_M = 0.15


def test_it_holds_the_arm_and_takes_it_to_a_reference(stand: Callable[..., Stand]) -> None:
    arm = stand()
    wait_ticks(arm.loop, 300)
    assert abs(arm.raised_m) < 1e-3, "it holds before the first reference"
    arm.refer(FAR_M)
    wait_ticks(arm.loop, 3000)
    assert arm.raised_m == pytest.approx(FAR_M, abs=2e-3)
    assert arm.cause is Cause.NONE
    assert arm.loop.newest()["refused"] == 0


def test_when_references_stop_it_brakes_and_holds(stand: Callable[..., Stand]) -> None:
    arm = stand(watchdog_ns=100 * MS)
    arm.refer(FAR_M)
    wait_for(lambda: arm.cause is Cause.SILENT, "its watchdog acts")
    wait_ticks(arm.loop, 500)
    stood_m = arm.raised_m
    assert stood_m < 0.5 * FAR_M, "at its free speed the arm needs 0.7 s for the whole way"
    assert arm.speed_m_s < 0.005
    wait_ticks(arm.loop, 500)
    assert arm.raised_m == pytest.approx(stood_m, abs=1e-3), "it is held, against gravity"
    assert Limit(int(arm.loop.newest()["limits"])) & Limit.BRAKE


def test_without_the_watchdog_it_moves_on(stand: Callable[..., Stand]) -> None:
    """Positive control of the test above."""
    arm = stand(watchdog_ns=FOREVER_NS)
    arm.refer(FAR_M)
    wait_ticks(arm.loop, 2000)
    assert arm.raised_m > 0.9 * FAR_M


def test_the_stop_word_brakes_until_it_is_released_and_cleared(
    stand: Callable[..., Stand],
) -> None:
    arm = stand()
    arm.refer(FAR_M)
    wait_ticks(arm.loop, 150)
    assert arm.speed_m_s > 0.05
    arm.loop.stop()
    wait_for(lambda: arm.cause is Cause.STOPPED, "the stop")
    wait_ticks(arm.loop, 500)
    stood_m = arm.raised_m
    assert arm.speed_m_s < 0.005
    arm.loop.release()
    wait_ticks(arm.loop, 200)
    assert arm.cause is Cause.STOPPED, "the word alone is not the latch"
    assert arm.raised_m == pytest.approx(stood_m, abs=1e-3)
    arm.loop.clear(int(arm.loop.newest()["trips"]))
    wait_ticks(arm.loop, 2000)
    assert arm.cause is Cause.NONE
    assert arm.raised_m == pytest.approx(FAR_M, abs=2e-3)


@pytest.mark.parametrize("period_ns", [MS, 20_000])
def test_it_counts_every_tick_and_every_miss(stand: Callable[..., Stand], period_ns: int) -> None:
    arm = stand(period_ns=period_ns)  # a tick with physics takes longer than 20 µs
    wait_ticks(arm.loop, 10)
    first = arm.loop.newest()
    wait_ticks(arm.loop, 300)
    last = arm.loop.newest()
    passed = {name: int(last[name] - first[name]) for name in ("t_ns", "tick", "missed")}
    assert passed["t_ns"] == period_ns * (passed["tick"] + passed["missed"])
    assert passed["missed"] > 0 or period_ns == MS
    arm.loop.close()
    end, times = arm.loop.newest(), arm.loop.counts.times()
    assert arm.loop.counts.counts.sum(axis=1).tolist() == [times.ticks, times.ticks]
    assert (times.ticks, times.missed) == (int(end["tick"]), int(end["missed"]))
    assert times.missed_in_a_row == int(end["missed_in_a_row"]) <= times.missed
    assert times.awake.largest < times.ready.largest
    assert 0.0 < times.ready.p50 <= times.ready.p99 <= times.ready.p999 <= times.ready.largest


# ---- a seam that stands still ------------------------------------------------------------------


@pytest.fixture
def still(memory: Path) -> Iterator[TorqueLoop]:
    loop = TorqueLoop(
        still_seam(still_values()),
        default_limits(),
        HOME_RAD,
        memory,
        watchdog_ns=FOREVER_NS,
        latch_ns=FOREVER_NS,
    )
    loop.start(PRIORITY)
    yield loop
    loop.close()


def test_its_torque_is_the_law_s(still: TorqueLoop) -> None:
    at = seen(still_values())
    target = at.position + np.array([0.004, -0.003, 0.02])
    facing = rotation.plus(at.quaternion, np.array([0.02, 0.0, -0.01]))
    still.refer(target, facing, CLIPS, made_ns=time.monotonic_ns(), valid_until_ns=FOREVER_NS)
    wait_ticks(still, 400)  # the torque rate has no say any more
    torque, out = np.array(still.newest()["torque"]), np.zeros(7)
    constants, work = law(default_limits(), HOME_RAD, 0.001), scratch()
    flags = impedance_torque(
        constants,
        at.q,
        at.dq,
        at.jacobian,
        at.position,
        at.quaternion,
        target,
        facing,
        at.inertia,
        False,
        at.bias,
        torque,
        work,
        out,
    )
    assert out.tolist() == torque.tolist()
    assert int(still.newest()["limits"]) == flags
    assert flags & Limit.POSITION_CLIP


@pytest.mark.parametrize(
    ("word", "value", "cause"),
    [(MEASURED_NS, -1, Cause.LOST), (MEASURED_NS, 5, Cause.LOST), (UNSENT, 1, Cause.UNSENT)],
    ids=["no measurement", "an old one", "torque not taken"],
)
def test_an_arm_that_does_not_answer(
    still: TorqueLoop, word: int, value: int, cause: Cause
) -> None:
    wait_ticks(still, 10)
    still.seam.context[word] = value
    wait_for(lambda: still.newest()["cause"] == cause, cause.name)


@pytest.mark.parametrize("measured_ns", [-1, 5], ids=["no measurement", "an old one"])
def test_it_begins_by_the_first_fresh_measurement(memory: Path, measured_ns: int) -> None:
    values = still_values()
    gravity = seen(values).bias
    gravity[:] = (5.0, 30.0, 5.0, 20.0, 4.0, 4.0, 4.0)  # from nothing: 30 ticks at the torque rate
    seam = still_seam(values)
    seam.context[MEASURED_NS] = measured_ns
    loop = TorqueLoop(seam, default_limits(), HOME_RAD, memory, watchdog_ns=FOREVER_NS)
    loop.start(PRIORITY)
    try:
        wait_ticks(loop, 5)
        loop.refer(np.zeros(3), np.eye(4)[0], CLIPS, made_ns=1, valid_until_ns=FOREVER_NS)
        wait_ticks(loop, 5)
        assert loop.newest()["cause"] == Cause.LOST
        assert seam.context[TAKEN] == 0, "it has no torque to give yet"
        seam.context[MEASURED_NS] = FOREVER_NS
        wait_for(lambda: seam.context[TAKEN] > 0, "the first torque")
        first = seam.context[FIRST:] * UNIT
        assert np.abs(first - gravity).max() <= 1.0 + 1e-6, "it is the one that holds the arm"
        wait_ticks(loop, 5)
        newest = loop.newest()
        assert (newest["cause"], newest["trips"], newest["refused"]) == (Cause.NONE, 0, 0)
    finally:
        loop.close()


def test_it_allocates_nothing(still: TorqueLoop) -> None:
    RUNTIME._nrt_python.memsys_enable_stats()
    at = seen(still_values())
    wait_ticks(still, 10)
    before = RUNTIME.rtsys.get_allocation_stats()
    still.refer(
        at.position + 0.01,
        at.quaternion,
        CLIPS,
        made_ns=time.monotonic_ns(),
        valid_until_ns=FOREVER_NS,
    )
    wait_ticks(still, 100)
    still.stop()
    wait_ticks(still, 100)
    after = RUNTIME.rtsys.get_allocation_stats()
    assert (after.alloc, after.mi_alloc) == (before.alloc, before.mi_alloc)
    rotation.minus(at.quaternion, at.quaternion)
    assert RUNTIME.rtsys.get_allocation_stats().alloc > after.alloc, "the count does count"


@cast(Any, numba).njit
def hold_the_gil(words: np.ndarray, until: int, tries: int) -> bool:
    """Without nogil: Python stands still until the word has grown so far, or for so many looks."""
    span = np.zeros(2, np.int64)
    for _ in range(tries):
        now_ns(span)  # some 25 ns; and the compiler has to look at the word again after it
        if words[0] >= until:
            return True
    return False


def test_it_goes_on_while_python_stands_still(still: TorqueLoop) -> None:
    counted, end = np.zeros(8, np.int64), threading.Event()

    def in_python() -> None:
        while not end.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=in_python)
    thread.start()
    try:
        words = still.words
        hold_the_gil(words, 0, 1)  # compiles it
        assert hold_the_gil(words, int(words[0]) + 50, 10**9), "50 ticks without the GIL"
        assert not hold_the_gil(counted, int(counted[0]) + 2, 2 * 10**6), "a Python loop has none"
    finally:
        end.set()
        thread.join()
