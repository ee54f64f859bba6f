"""What a torque loop decides: whom it follows, why it brakes, and how it comes back."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from safety import rotation
from safety.impedance import Law, brake_torque, impedance_torque, scratch
from safety.limits import ArmLimits, LimitError
from safety.torque_tick import (
    AHEAD_NS,
    CAUSE,
    HOLD,
    SEEN_VALUES,
    STANDING,
    TRIPS,
    Cause,
    SeenArm,
    TorqueBounds,
    TorqueMemory,
    begin,
    bounds,
    choose,
    memory,
    seen,
    take,
    walk,
)
from safety.vocabulary import Limit
from tests.safety.chain import chain

PERIOD_NS, CONTROL_NS, WATCHDOG_NS, MEASURED_NS = 1_000_000, 5_000_000, 100_000_000, 10_000_000
LATCH_NS = 250_000_000
START_NS = 1_000_000_000
POSTURE = np.array([0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8])
WIDE = np.full((2, 6), 1.0)
ARM, BENT = chain(7)
SPEEDS = np.array([0.1, -0.2, 0.05, 0.3, -0.1, 0.2, 0.4])


@dataclass
class Loop:
    """A loop without a thread, and an arm that stands where it is put."""

    bounds: TorqueBounds
    memory: TorqueMemory
    values: np.ndarray
    torque: np.ndarray = field(default_factory=lambda: np.zeros(7))
    now_ns: int = START_NS

    def __post_init__(self) -> None:
        self.seen: SeenArm = seen(self.values)
        self.stand(BENT)
        assert begin(self.bounds, self.memory, self.seen, False, self.torque)

    def stand(self, q: np.ndarray, dq: np.ndarray | None = None) -> None:
        position, quaternion, jacobian = ARM.pose(q)
        self.seen.q[:], self.seen.dq[:] = q, 0.0 if dq is None else dq
        self.seen.position[:], self.seen.quaternion[:] = position, quaternion
        self.seen.jacobian[:] = jacobian
        self.seen.bias[:] = (-3.0, 30.0, 5.0, 20.0, 2.0, 3.0, -1.0)  # within the torque limits
        self.seen.inertia[:] = np.eye(7)

    def refer(self, *, made_ns: int | None = None, **changed: object) -> bool:
        given: dict[str, object] = {
            "made_ns": self.now_ns if made_ns is None else made_ns,
            "valid_until_ns": self.now_ns + 10 * WATCHDOG_NS,
            "hold": False,
            "position": self.seen.position.copy(),
            "quaternion": self.seen.quaternion.copy(),
            "clips": WIDE,
        } | changed
        return take(self.bounds, self.memory, self.now_ns, *given.values())  # pyright: ignore[reportArgumentType]

    def tick(
        self,
        *,
        late_ns: int = 0,
        stop: bool = False,
        cleared: int = 0,
        lost: bool = False,
        unsent: bool = False,
    ) -> Limit:
        self.now_ns += PERIOD_NS
        flags = choose(
            self.bounds,
            self.memory,
            self.seen,
            self.now_ns,
            late_ns,
            stop,
            cleared,
            lost,
            unsent,
            self.torque,
        )
        return Limit(flags)

    @property
    def cause(self) -> Cause:
        return Cause(int(self.memory.words[CAUSE]))

    @property
    def trips(self) -> int:
        return int(self.memory.words[TRIPS])


def made(limits: ArmLimits, watchdog_ns: int = WATCHDOG_NS) -> Loop:
    held = bounds(
        limits,
        POSTURE,
        period_ns=PERIOD_NS,
        control_period_ns=CONTROL_NS,
        watchdog_ns=watchdog_ns,
        measured_ns=MEASURED_NS,
        latch_ns=LATCH_NS,
    )
    return Loop(bounds=held, memory=memory(), values=np.zeros(SEEN_VALUES))


@pytest.fixture
def loop(arm_limits: ArmLimits) -> Loop:
    return made(arm_limits)


def away(loop: Loop, x_m: float = 0.05) -> np.ndarray:
    return loop.seen.position + np.array([x_m, 0.0, 0.0])


def test_a_loop_for_another_number_of_joints_is_refused(arm_limits: ArmLimits) -> None:
    with pytest.raises(LimitError, match="for 7 joints"):
        bounds(
            arm_limits,
            np.zeros(6),
            period_ns=PERIOD_NS,
            control_period_ns=CONTROL_NS,
            watchdog_ns=WATCHDOG_NS,
            measured_ns=MEASURED_NS,
            latch_ns=LATCH_NS,
        )


def test_the_values_of_a_measurement_are_its_views() -> None:
    values = np.arange(SEEN_VALUES, dtype=np.float64)
    parts = seen(values)
    assert [part.shape for part in parts] == [(7,), (7,), (3,), (4,), (6, 7), (7,), (7, 7)]
    assert np.concatenate([part.ravel() for part in parts]).tolist() == values.tolist()
    assert all(np.shares_memory(part, values) for part in parts)


def test_before_the_first_reference_it_stays_where_it_stands(loop: Loop) -> None:
    for _ in range(500):
        assert not loop.tick() & Limit.BRAKE
    assert loop.cause is Cause.NONE, "nobody has promised references yet"
    assert np.allclose(loop.torque, loop.seen.bias + posture_torque(loop), atol=1e-6)


def posture_torque(loop: Loop) -> np.ndarray:
    """The law's own torque of an arm that stands at its reference, without bias."""
    out, at = np.zeros(7), loop.seen
    free = loop.bounds.law._replace(torque_step=np.full(7, 1e9))
    impedance_torque(
        free,
        at.q,
        at.dq,
        at.jacobian,
        at.position,
        at.quaternion,
        at.position.copy(),
        at.quaternion.copy(),
        at.inertia,
        True,
        np.zeros(7),
        np.zeros(7),
        scratch(),
        out,
    )
    return out


def test_the_first_torque_holds_the_arm_against_gravity(loop: Loop) -> None:
    before = loop.torque.copy()
    assert np.array_equal(before, loop.seen.bias)
    loop.tick()
    assert np.abs(loop.torque - before).max() <= 1.0 + 1e-9, "and from there on the torque rate"


@pytest.mark.parametrize(
    "part", ["q", "dq", "position", "quaternion", "jacobian", "bias", "inertia"]
)
def test_it_begins_by_the_first_finite_measurement(loop: Loop, part: str) -> None:
    loop.memory, loop.torque = memory(), np.zeros(7)
    getattr(loop.seen, part).flat[1] = math.nan
    for _ in range(2):
        assert not begin(loop.bounds, loop.memory, loop.seen, False, loop.torque)
        assert loop.cause is Cause.UNFIT
    loop.stand(BENT)
    assert begin(loop.bounds, loop.memory, loop.seen, False, loop.torque)
    assert (loop.cause, loop.trips) == (Cause.NONE, 0), "it has not braked: there was no torque"
    assert loop.torque.tolist() == loop.seen.bias.tolist()


def test_it_begins_by_the_first_fresh_measurement(loop: Loop) -> None:
    loop.memory, loop.torque = memory(), np.zeros(7)
    assert not begin(loop.bounds, loop.memory, loop.seen, True, loop.torque)
    assert loop.cause is Cause.LOST
    assert np.isnan(loop.seen.dq).all(), "nobody may go by speeds of long ago"
    loop.stand(BENT + 0.02)
    assert begin(loop.bounds, loop.memory, loop.seen, False, loop.torque)
    assert loop.memory.reference_m.tolist() == loop.seen.position.tolist()
    assert loop.torque.tolist() == loop.seen.bias.tolist(), "from nothing it would sag"
    loop.stand(BENT)
    assert begin(loop.bounds, loop.memory, loop.seen, True, loop.torque), "it begins once"
    assert loop.memory.reference_m.tolist() != loop.seen.position.tolist()


@pytest.mark.parametrize("hold", [False, True])
def test_its_torque_is_that_of_the_law_called_directly(loop: Loop, hold: bool) -> None:
    expected, work, constants = loop.torque.copy(), scratch(), law_of(loop)
    turned = rotation.plus(loop.seen.quaternion, np.array([0.0, 0.1, 0.0]))
    assert loop.refer(position=away(loop), quaternion=turned, hold=hold)
    goal = away(loop)
    start, facing = loop.seen.position.copy(), loop.seen.quaternion.copy()
    for step in range(1, 12):
        loop.stand(BENT + 1e-3 * step, SPEEDS)
        share, at = step * PERIOD_NS / CONTROL_NS, loop.seen
        target = goal if share >= 1.0 else start + share * (goal - start)
        to = turned if share >= 1.0 else rotation.slerp(facing, turned, share)
        flags = loop.tick()
        direct = impedance_torque(
            constants,
            at.q,
            at.dq,
            at.jacobian,
            at.position,
            at.quaternion,
            target,
            to,
            at.inertia,
            hold,
            at.bias,
            expected,
            work,
            expected,
        )
        assert loop.torque.tolist() == expected.tolist(), "one law, to the last bit"
        assert flags == direct
        assert flags & Limit.POSITION_CLIP or step < 2


def law_of(loop: Loop) -> Law:
    """The law's constants with arrays of their own."""
    copied: list[Any] = [
        part.copy() if isinstance(part, np.ndarray) else part for part in loop.bounds.law
    ]
    return Law(*copied)


def test_a_reference_can_only_tighten_the_clips(loop: Loop) -> None:
    cell = loop.bounds.clip_plus.copy()
    assert loop.refer(clips=np.full((2, 6), 0.001))
    assert loop.bounds.law.clip_plus.tolist() == [0.001] * 6
    loop.now_ns += PERIOD_NS
    assert loop.refer(clips=WIDE)
    assert loop.bounds.law.clip_plus.tolist() == cell.tolist()
    assert loop.bounds.law.clip_minus.tolist() == loop.bounds.clip_minus.tolist()


@pytest.mark.parametrize(
    "changed",
    [
        {"position": np.array([math.nan, 0.0, 0.0])},
        {"quaternion": np.zeros(4)},
        {"quaternion": np.array([1.0, 0.1, 0.0, 0.0])},
        {"quaternion": np.array([math.nan, 0.0, 0.0, 0.0])},
        {"clips": np.where(np.arange(12).reshape(2, 6) == 4, math.nan, 1.0)},
        {"clips": np.where(np.arange(12).reshape(2, 6) == 7, -0.001, 1.0)},
        {"made_ns": START_NS - 1},
        {"made_ns": START_NS + PERIOD_NS},  # as old as the one before
        {"made_ns": START_NS + 2 * PERIOD_NS + AHEAD_NS + 1},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_is_no_reference_changes_nothing(loop: Loop, changed: dict[str, object]) -> None:
    loop.now_ns += PERIOD_NS
    assert loop.refer(position=away(loop))
    before = [part.copy() for part in loop.memory]
    loop.now_ns += PERIOD_NS
    assert not loop.refer(**changed)  # pyright: ignore[reportArgumentType]
    assert all(np.array_equal(a, b) for a, b in zip(before, loop.memory, strict=True))
    assert loop.refer(made_ns=loop.now_ns + AHEAD_NS), "the bound itself is allowed"


def test_an_old_reference_brakes_and_the_arm_is_held_where_it_came_to_rest(loop: Loop) -> None:
    expected, work = np.zeros(7), scratch()
    assert loop.refer(position=away(loop))
    while loop.now_ns < START_NS + WATCHDOG_NS:
        assert not loop.tick() & Limit.BRAKE
    assert loop.cause is Cause.NONE
    loop.stand(BENT + 0.05, SPEEDS)
    expected[:] = loop.torque
    latched = loop.seen.q.copy()
    for step in range(5):
        flags = loop.tick()
        assert flags & Limit.BRAKE
        assert loop.cause is Cause.SILENT
        brake_torque(
            loop.bounds.law,
            loop.seen.q,
            loop.seen.dq,
            latched,
            loop.seen.bias,
            expected,
            work,
            expected,
        )
        assert loop.torque.tolist() == expected.tolist()
        loop.stand(BENT + 0.05 + 1e-3 * step, SPEEDS * 0.5**step)
    assert loop.trips == 1, "it is one trip, however long it lasts"


def test_with_its_watchdog_off_it_goes_on(arm_limits: ArmLimits) -> None:
    """Positive control of the test above."""
    loop = made(arm_limits, watchdog_ns=2**60)
    assert loop.refer(valid_until_ns=2**61)
    loop.now_ns += 100 * WATCHDOG_NS
    assert not loop.tick() & Limit.BRAKE
    assert loop.cause is Cause.NONE


def test_a_reference_is_valid_until_it_says(loop: Loop) -> None:
    assert loop.refer(valid_until_ns=loop.now_ns + 2 * PERIOD_NS)
    loop.tick()
    loop.tick()
    assert loop.cause is Cause.NONE
    loop.tick()
    assert loop.cause is Cause.SILENT


def test_a_stop_comes_first_and_outlasts_its_word(loop: Loop) -> None:
    assert loop.refer()
    assert loop.tick(stop=True, lost=True) & Limit.BRAKE
    assert loop.cause is Cause.STOPPED
    loop.stand(BENT)  # it is measured again
    for _ in range(3):
        assert loop.tick() & Limit.BRAKE, "taking the word back starts nothing"
    assert loop.tick(stop=True, cleared=1) & Limit.BRAKE, "nor can it be cleared while it is set"
    assert loop.tick(cleared=1) & Limit.BRAKE
    assert not loop.tick(cleared=2) & Limit.BRAKE


def test_what_stands_beside_a_stop_is_told(loop: Loop) -> None:
    loop.tick(stop=True)
    assert loop.memory.words[STANDING] == Cause.NONE
    loop.tick(stop=True, unsent=True)
    assert (loop.cause, loop.memory.words[STANDING]) == (Cause.STOPPED, Cause.UNSENT)
    loop.tick(stop=True)
    assert loop.memory.words[STANDING] == Cause.NONE


def test_a_clear_belongs_to_one_trip(loop: Loop) -> None:
    assert loop.refer()
    loop.tick(stop=True)
    loop.tick(cleared=1)
    assert loop.cause is Cause.NONE
    loop.tick(stop=True, cleared=1)
    assert loop.trips == 2
    assert loop.tick(cleared=1) & Limit.BRAKE
    assert not loop.tick(cleared=2) & Limit.BRAKE


def test_a_clear_while_the_cause_persists_is_void(loop: Loop) -> None:
    assert loop.refer()
    loop.now_ns += 2 * WATCHDOG_NS
    loop.tick()
    latched = loop.memory.latched.copy()
    loop.stand(BENT + 0.02)
    for _ in range(3):
        assert loop.tick(cleared=1) & Limit.BRAKE
    assert (loop.cause, loop.trips) == (Cause.SILENT, 2)
    assert loop.memory.latched.tolist() == latched.tolist(), "it is held where it came to rest"
    assert loop.refer(position=away(loop, 0.001))
    for _ in range(3):
        assert loop.tick(cleared=1) & Limit.BRAKE, "the cause has gone, and nobody cleared it since"
    assert not loop.tick(cleared=2) & Limit.BRAKE
    assert np.allclose(loop.memory.reference_m, away(loop, 0.001)), "it walks from nowhere else"


def test_cleared_before_any_reference_it_stays_where_it_now_stands(loop: Loop) -> None:
    loop.tick(stop=True)
    loop.stand(BENT + 0.02)
    assert not loop.tick(cleared=1) & Limit.BRAKE
    assert loop.memory.reference_m.tolist() == loop.seen.position.tolist()


def test_without_a_measurement_only_gravity_is_left(loop: Loop) -> None:
    assert loop.refer(position=away(loop))
    loop.stand(BENT, SPEEDS)
    for _ in range(200):
        flags = loop.tick(lost=True)
        assert flags & Limit.BRAKE
    assert loop.cause is Cause.LOST
    assert np.isnan(loop.seen.dq).all(), "nobody may brake by speeds of long ago"
    assert np.allclose(loop.torque, loop.seen.bias)


def test_a_torque_that_the_arm_did_not_take_brakes(loop: Loop) -> None:
    assert loop.refer()
    assert loop.tick(unsent=True) & Limit.BRAKE
    assert loop.cause is Cause.UNSENT


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("q", math.nan),
        ("dq", math.inf),
        ("position", math.nan),
        ("quaternion", math.nan),
        ("jacobian", math.nan),
        ("bias", math.inf),
        ("inertia", math.nan),
        ("dq", 2.001),
        ("dq", -2.001),
    ],
)
def test_a_measurement_that_is_not_fit_brakes(loop: Loop, part: str, value: float) -> None:
    assert loop.refer()
    getattr(loop.seen, part).flat[1] = value
    assert loop.tick() & Limit.BRAKE
    assert loop.cause is Cause.UNFIT
    assert np.isfinite(loop.torque).all()
    loop.stand(BENT)
    assert not loop.tick(cleared=1) & Limit.BRAKE


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_joint_beyond_its_range_may_only_come_back(loop: Loop, side: float) -> None:
    assert loop.refer()
    q, dq = BENT.copy(), np.zeros(7)
    q[2], dq[2] = side * 2.95, -side * 0.1
    loop.stand(q, dq)
    loop.tick()
    assert loop.cause is Cause.NONE
    loop.stand(q, -dq)
    loop.tick()
    assert loop.cause is Cause.UNFIT


def test_a_loop_that_stood_still_latches(loop: Loop) -> None:
    loop.tick(late_ns=LATCH_NS + 1)
    assert loop.cause is Cause.NONE, "nothing was moving yet"
    assert loop.refer()
    loop.tick(late_ns=LATCH_NS)
    assert loop.cause is Cause.NONE
    loop.tick(late_ns=LATCH_NS + 1)
    assert loop.cause is Cause.LATE


def test_hold_is_the_newest_reference_s(loop: Loop) -> None:
    assert loop.refer(hold=True)
    assert loop.memory.words[HOLD] == 1
    loop.now_ns += PERIOD_NS
    assert loop.refer(hold=False)
    assert loop.memory.words[HOLD] == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_the_walk_between_two_commands(share: float) -> None:
    begin_q = np.array([1.0, 0.0, 0.0, 0.0])
    end_q = rotation.exponential(np.array([0.0, 0.4, 0.0]))
    position, turn = np.zeros(3), np.zeros(4)
    walk(share, np.zeros(3), np.array([1.0, 2.0, 3.0]), begin_q, end_q, position, turn)
    assert np.allclose(position, share * np.array([1.0, 2.0, 3.0]))
    assert np.allclose(rotation.minus(turn, begin_q), [0.0, 0.4 * share, 0.0])
