"""A torque-driven arm behind the arm's door, and the self-test that decides whether one may be."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hardware import arm_process, arm_topics, self_test
from hardware.arm import Arm, ArmDescription, ArmDriver, ArmLaunch, ArmLost, SceneLaunch
from hardware.arm_faults import CLEAR_DISTANCE_M
from hardware.arm_guard import CommandGuard, GuardedArm
from hardware.driver import DriverSettings
from hardware.loop_times import BUCKETS, LoopCounts, count_lateness, count_tick, percentiles
from hardware.sim import driver as simulation
from hardware.sim.kinematics import HOME_RAD
from hardware.sim.panda import default_limits
from hardware.sim.physics import Physics
from hardware.sim.torque_seam import SimulatedSeam
from hardware.torque_arm import TorqueArm
from hardware.torque_loop import PRIORITY, TorqueSeam
from safety.torque_tick import Cause
from tests.hardware.still_seam import FOREVER_NS, MEASURED_NS, UNSENT, still_seam, still_values

PERIOD_NS = 1_000_000


def launch(folder: Path, scene: SceneLaunch | None = None) -> ArmLaunch:
    return ArmLaunch(
        folder=folder,
        limits=default_limits(),
        watchdog_ns=FOREVER_NS,  # real threads on a loaded machine
        latch_ns=FOREVER_NS,
        scene=scene,
    )


def until(found: Callable[[], bool], what: str, look: Callable[[], None] = lambda: None) -> None:
    """Wait until it is so; `look` is done before each look."""
    end = time.monotonic() + 90.0
    while not found():
        assert time.monotonic() < end, what
        look()
        time.sleep(0.002)


class Hosted:
    """The arm as its process has it, with the physics behind it."""

    def __init__(self, folder: Path, seam: TorqueSeam | None = None) -> None:
        """`seam`: in place of that of the physics."""
        physics = self.physics = Physics("lift_cube", default_limits(), seed=0, physics_dt_s=0.001)
        physics.step(physics.position_m, physics.quaternion)
        self.start_m, self.facing = physics.position_m.copy(), physics.quaternion.copy()
        self.simulated = SimulatedSeam(physics)
        self.seam = seam or self.simulated.seam
        self.arm = TorqueArm(self.seam, HOME_RAD, launch(folder), period_ns=PERIOD_NS)
        guard = CommandGuard(default_limits().cartesian, FOREVER_NS)
        self.guarded = GuardedArm(self.arm, guard)
        self.sequence = 0

    def command(self, up_m: float) -> Any:
        self.sequence += 1
        record = np.zeros((), arm_topics.COMMAND)
        record["sequence"], record["t_ns"] = self.sequence, time.monotonic_ns()
        record["valid_until_ns"] = FOREVER_NS
        record["position"] = self.start_m + np.array([0.0, 0.0, up_m])
        record["quaternion"] = self.facing
        record["clip_m"], record["clip_rad"], record["gripper"] = 0.01, 0.1, 1.0
        return record

    def wait(self, found: Callable[[], bool], what: str) -> None:
        """Tick as the process does, until it is so."""
        until(found, what, lambda: self.guarded.tick(time.monotonic_ns()))

    def wait_ticks(self, ticks: int) -> None:
        until = self.arm.loop.ticks + ticks
        self.wait(lambda: self.arm.loop.ticks >= until, f"{ticks} ticks")
        self.guarded.tick(time.monotonic_ns())

    def measure(self):
        return self.guarded.measure(time.monotonic_ns())


@pytest.fixture
def hosted(memory: Path) -> Iterator[Hosted]:
    made = Hosted(memory)
    made.arm.warm_up()
    made.wait_ticks(10)
    yield made
    made.arm.close()


@pytest.fixture
def still(memory: Path) -> Iterator[Hosted]:
    """An arm that stands still, with a reference at it; its seam's words are the test's."""
    made = Hosted(memory, still_seam(still_values()))
    made.arm.warm_up()
    made.wait_ticks(10)
    assert made.guarded.command(made.command(0.0), time.monotonic_ns())
    made.wait_ticks(10)
    yield made
    made.arm.close()


def test_it_is_an_arm(hosted: Hosted) -> None:
    arm: Arm = hosted.arm
    assert hosted.guarded.command(hosted.command(0.01), time.monotonic_ns())
    hosted.wait_ticks(600)
    measured = hosted.measure()
    assert not arm.braking
    assert measured.fault == ""
    assert measured.not_finite == ()
    assert measured.position_m[2] - hosted.start_m[2] == pytest.approx(0.01, abs=1e-3)
    assert measured.tick > 600
    assert measured.jacobian is not None
    assert np.allclose(measured.twist, measured.jacobian @ measured.dq_rad_s)
    times = hosted.arm.loop_times()
    assert times.ticks >= 600
    assert times.ready.p999 > 0.0


def test_its_brake_is_left_by_a_clear_with_the_reference_at_the_arm(hosted: Hosted) -> None:
    assert hosted.arm.clear() == "no reference has come yet; see that control runs"
    assert hosted.guarded.command(hosted.command(0.0), time.monotonic_ns())
    hosted.wait_ticks(20)
    hosted.arm.brake("somebody leaned on it")
    hosted.arm.brake("a second reason")
    assert hosted.arm.braking
    assert hosted.arm.clear() == "its loop has not begun to brake yet; clear again"
    hosted.wait_ticks(50)
    assert hosted.measure().fault == "somebody leaned on it"
    assert hosted.arm.loop.newest()["trips"] == 1
    hosted.arm.follow(hosted.command(2 * CLEAR_DISTANCE_M), time.monotonic_ns())
    assert hosted.arm.clear().startswith("the reference is 40 mm")
    hosted.wait_ticks(50)
    assert hosted.arm.braking
    hosted.arm.follow(hosted.command(0.0), time.monotonic_ns())
    assert hosted.arm.clear() == ""
    hosted.wait(lambda: not hosted.arm.braking, "the loop leaves its brake")
    assert hosted.measure().fault == ""


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        (UNSENT, 1, "it did not take the torque; "),
        (MEASURED_NS, -1, "its measurements stopped arriving; "),
    ],
)
@pytest.mark.parametrize("ordered", [False, True], ids=["by itself", "after a stop"])
def test_it_is_not_cleared_while_a_cause_stands(
    still: Hosted, word: int, value: int, said: str, ordered: bool
) -> None:
    if ordered:
        still.arm.brake("somebody leaned on it")
        still.wait_ticks(10)
    usual = int(still.seam.context[word])
    still.seam.context[word] = value
    still.wait_ticks(20)
    assert still.arm.braking
    assert still.arm.clear().startswith(said)
    still.seam.context[word] = usual  # the cable is in again, minutes later
    still.wait_ticks(20)
    assert still.arm.braking, "nobody has cleared it"
    assert still.arm.clear() == ""
    still.wait(lambda: not still.arm.braking, "the loop leaves its brake")


def test_only_the_trip_that_was_looked_at_is_cleared(still: Hosted) -> None:
    still.seam.context[UNSENT] = 1
    still.wait(lambda: still.arm.braking, "it brakes")
    still.seam.context[UNSENT] = 0
    still.wait_ticks(10)
    loop, before = still.arm.loop, still.measure().fault
    loop.clear(1)
    until(lambda: loop.newest()["cause"] == Cause.NONE, "the loop leaves its brake")
    still.seam.context[UNSENT] = 1  # and it trips again before its process looks
    until(lambda: loop.newest()["cause"] == Cause.UNSENT, "it brakes again")
    still.seam.context[UNSENT] = 0
    until(lambda: loop.newest()["standing"] == Cause.NONE, "the torque is taken again")
    assert still.measure().fault == before, "this is what a person sees"
    assert still.arm.clear() == ""
    still.wait_ticks(20)
    assert still.arm.braking
    assert still.measure().fault == before
    assert still.arm.clear() == ""
    still.wait(lambda: not still.arm.braking, "the loop leaves its brake")


def test_what_its_own_loop_found_is_said(hosted: Hosted) -> None:
    """A push, faster than a joint may turn."""
    hosted.wait_ticks(10)
    hosted.arm.loop.bounds.speed[0] = -1.0  # now every speed is too much
    hosted.wait(lambda: hosted.arm.braking, "it brakes")
    assert hosted.measure().fault.startswith("a joint was beyond its limits")
    hosted.arm.loop.bounds.speed[0] = 2.0
    hosted.arm.loop.close()
    with pytest.raises(ArmLost, match="its torque loop ended"):
        hosted.guarded.tick(time.monotonic_ns())


def test_it_cannot_be_stepped(memory: Path) -> None:
    hosted = Hosted(memory)
    virtual = launch(memory, SceneLaunch(name="lift_cube", virtual=True))
    with pytest.raises(ValueError, match="run this cell in real time"):
        TorqueArm(hosted.seam, HOME_RAD, virtual, period_ns=PERIOD_NS)


# ---- the self-test -----------------------------------------------------------------------------


def described(torque_period_ns: int | None) -> ArmDescription:
    plain = simulation.describe(simulation.SimulatedArmSettings(driver="simulated_panda"))
    return replace(plain, simulation=None, torque_period_ns=torque_period_ns)


@pytest.mark.parametrize(
    ("period_ns", "scene", "touched"),
    [
        (50, None, False),  # nobody wakes within 20 periods of 50 ns
        (5_000_000, None, True),
        (None, None, True),
        (50, SceneLaunch(name="lift_cube"), True),  # no real arm
    ],
)
def test_a_real_arm_is_not_touched_where_the_timing_is_poor(
    memory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    period_ns: int | None,
    scene: SceneLaunch | None,
    touched: bool,
) -> None:
    monkeypatch.setattr(self_test, "SELF_TEST_S", 0.02)
    opened: list[ArmLaunch] = []

    def open_arm(_settings: DriverSettings, given: ArmLaunch) -> Arm:
        opened.append(given)
        raise ArmLost("it is not there")

    driver = ArmDriver(
        settings=DriverSettings, describe=lambda _: described(period_ns), open=open_arm
    )
    settings = DriverSettings(driver="a_torque_arm")
    hosted = arm_process.HostedArm(driver=driver, settings=settings, launch=launch(memory, scene))
    with pytest.raises(SystemExit):
        arm_process.main(hosted, PRIORITY)
    assert bool(opened) is touched
    said = capfd.readouterr().err
    assert ("it is not there" in said) is touched
    assert ("torque mode is refused: in the self-test the loop missed" in said) is not touched
    assert ("`robot-rl doctor`" in said) is not touched


def test_a_period_of_a_torque_loop_is_above_nothing() -> None:
    with pytest.raises(ValueError, match="torque_period_ns is 0: it must be above 0"):
        described(0)


def test_the_self_test_refuses_beyond_20_missed_periods_in_a_row() -> None:
    counts = LoopCounts()
    for missed in (0, 20, 20, 0):
        count_tick(counts.totals, missed)
    assert self_test.refusal(counts.times()) == ""
    count_tick(counts.totals, 21)
    assert "missed 21 periods of 1 ms in a row, and 20 are allowed" in self_test.refusal(
        counts.times()
    )


def test_the_empty_loop_runs_as_long_as_it_is_told() -> None:
    times, _ = self_test.empty_loop(0.2, PRIORITY)
    assert times.ticks + times.missed >= 200
    assert 0.0 < times.awake.p50 <= times.awake.largest <= times.ready.largest


def test_lateness_is_counted_to_the_microsecond() -> None:
    counts = LoopCounts()
    rng = np.random.default_rng(5)
    late_us = np.concatenate([rng.integers(0, 300, 4000), [5000, BUCKETS + 100]])
    for late in late_us.tolist():
        count_lateness(counts.counts, counts.largest, 0, late * 1000)
    found = counts.times().awake
    p50, p99, p999 = np.percentile(late_us, (50, 99, 99.9))
    assert found.p50 == pytest.approx(p50, abs=1.5)
    assert found.p99 == pytest.approx(p99, abs=1.5)
    assert found.p999 == pytest.approx(p999, abs=1.5)
    assert found.largest == BUCKETS + 100
    assert counts.times().ready.p50 == 0.0, "nothing was counted there"


def test_percentiles_since_the_last_look() -> None:
    counts = LoopCounts()
    count_lateness(counts.counts, counts.largest, 1, 700_000)
    assert counts.times_since_last().ready.p50 == 700.0
    count_lateness(counts.counts, counts.largest, 1, 9_500)
    assert counts.times_since_last().ready.p50 == 10.0
    assert counts.times().ready.p999 == 700.0
    assert counts.times_since_last().ready.p50 == 0.0


def test_what_is_later_than_all_buckets_is_as_late_as_the_latest() -> None:
    empty = np.zeros(BUCKETS, np.int64)
    empty[-1] = 3
    assert percentiles(empty, 12_000.0).p50 == 12_000.0
