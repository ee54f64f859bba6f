"""The gate: what moves the reference, what stops it, and which limits hold whatever is asked."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from safety import rotation
from safety.course import Course
from safety.decay import DECAY_S
from safety.faults import FaultCode
from safety.gate import Gate, Measured
from safety.hold import FOLLOW_S
from safety.limits import ArmLimits, LimitError
from safety.proposal import Hold, Home, PolicyTarget, Retrace, Twist
from safety.settings import GateSettings
from safety.vocabulary import MOVING, Limit, Mode, Reject, Source

DT = 0.005
WINDOW_NS = 100_000_000
LOOSE = 50.0


def action(rig: Any, delta: np.ndarray, sequence: int = 0, **changes: Any) -> PolicyTarget:
    target = PolicyTarget(
        sequence=sequence,
        epoch=rig.state.epoch,
        observed_ns=rig.now_ns,
        valid_from_ns=rig.now_ns,
        valid_until_ns=rig.now_ns + WINDOW_NS,
        delta=delta,
        gripper=0.0,
    )
    return replace(target, **changes)


def push(rig: Any, twist: list[float], **changes: Any) -> Twist:
    values = {"epoch": rig.state.epoch, "received_ns": rig.now_ns, "twist": np.array(twist)}
    return Twist(**{**values, **changes})


def home(rig: Any, position: np.ndarray, **changes: Any) -> Home:
    values = {
        "epoch": rig.state.epoch,
        "valid_until_ns": rig.now_ns + WINDOW_NS,
        "position_m": position,
        "quaternion": rig.quaternion,
    }
    return Home(**{**values, **changes})


def back(rig: Any, position: np.ndarray, **changes: Any) -> Retrace:
    as_home = home(rig, position, **changes)
    return Retrace(
        epoch=as_home.epoch,
        valid_until_ns=as_home.valid_until_ns,
        position_m=as_home.position_m,
        quaternion=as_home.quaternion,
    )


def execute(rig: Any, deltas: np.ndarray) -> None:
    """Run policy actions (n, 6), one per window."""
    for sequence, delta in enumerate(deltas):
        target = action(rig, delta, sequence)
        rig.run(lambda target=target: target, 20)


# --- What moves the reference ---------------------------------------------------------------------


def test_actions_add_up_to_their_sum(rig: Any) -> None:
    deltas = np.tile([0.01, -0.008, 0.005, 0.0, 0.0, 0.02], (10, 1))
    start, facing = rig.position_m, rig.quaternion
    execute(rig, deltas)
    last = rig.decisions[-1].command
    ahead = rig.gate._tracker.lead
    short = deltas.sum(axis=0)[:3] - (last.position_m - start)
    assert (np.abs(short) <= ahead[:3]).all()
    turned = rotation.minus(last.quaternion, facing)
    assert np.allclose(turned[:2], 0.0, atol=1e-6)
    assert 0.2 - ahead[5] <= turned[2] <= 0.2
    assert all(d.verdict.source is Source.POLICY for d in rig.decisions)
    assert not any(d.verdict.limits & ~Limit.ACCELERATION for d in rig.decisions)


def test_the_reference_lags_but_is_never_lost_between_actions(rig: Any) -> None:
    execute(rig, np.tile([0.01, 0.0, 0.0, 0.0, 0.0, 0.0], (10, 1)))
    steps = [rig.decisions[i].command.position_m[0] for i in range(19, 200, 20)]
    assert np.diff(steps)[3:] == pytest.approx(0.01, rel=0.02)


def test_a_person_moves_at_the_asked_velocity(rig: Any) -> None:
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.3]), 60)
    assert np.allclose(rig.gate.velocity, [0.1, 0.0, 0.0, 0.0, 0.0, 0.3])
    assert rig.decisions[-1].verdict.source is Source.HUMAN


def test_reset_goes_home(rig: Any) -> None:
    rig.enter(Mode.RESETTING)
    goal = np.array([0.5, 0.1, 0.3])
    facing = rotation.plus(rig.quaternion, np.array([0.1, 0.2, 0.3]))
    rig.run(lambda: home(rig, goal, quaternion=facing), 300)
    assert np.allclose(rig.position_m, goal, atol=1e-6)
    assert np.allclose(rotation.minus(rig.quaternion, facing), 0.0, atol=1e-6)
    assert rig.decisions[-1].verdict.source is Source.RESET


def test_what_was_seen_before_the_policy_had_the_robot_is_not_acted_on(rig: Any) -> None:
    rig.run(Hold, 20)
    rig.enter(Mode.AUTONOMOUS)
    rig.state = replace(rig.state, since_ns=rig.now_ns)
    seen_before = action(rig, np.full(6, 0.01), observed_ns=rig.now_ns - 1)
    assert rig.tick(seen_before).verdict.reject is Reject.STALE
    seen_since = replace(seen_before, observed_ns=rig.state.since_ns)
    assert rig.tick(seen_since).verdict.reject is Reject.NONE


@pytest.mark.parametrize(
    ("entry", "before", "after"),
    [(-1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (0.5, 0.0, 0.0), (-0.51, 1.0, 0.0)],
)
def test_gripper_is_three_way(rig: Any, entry: float, before: float, after: float) -> None:
    rig.gate.gripper = before
    decision = rig.tick(action(rig, np.zeros(6), gripper=entry))
    assert decision.command.gripper == after


@pytest.mark.parametrize("mode", [m for m in Mode if m not in MOVING])
def test_an_order_to_the_gripper_ends_where_nothing_may_move_and_never_comes_back(
    rig: Any, mode: Mode
) -> None:
    rig.tick(action(rig, np.zeros(6), gripper=-1.0))
    assert not rig.tick(Hold()).command.gripper_hold, "a hold alone ends no order"
    before, rig.state = rig.state, replace(rig.state, mode=mode)
    assert rig.tick(action(rig, np.zeros(6), gripper=-1.0)).command.gripper_hold
    rig.state = before
    assert rig.tick(Hold()).command.gripper_hold
    assert rig.tick(action(rig, np.zeros(6), gripper=0.3)).command.gripper_hold
    assert not rig.tick(action(rig, np.zeros(6), gripper=-1.0)).command.gripper_hold


def test_the_gripper_is_held_before_anybody_has_ordered_anything(rig: Any) -> None:
    assert rig.tick(action(rig, np.zeros(6), gripper=0.0)).command.gripper_hold


def test_a_rewind_keeps_the_gripper_as_it_is_also_one_that_was_opening(rig: Any) -> None:
    rig.gate.gripper = 0.0
    assert not rig.tick(action(rig, np.zeros(6), gripper=1.0)).command.gripper_hold
    rig.enter(Mode.REWINDING)
    assert rig.tick(Hold()).command.gripper_hold, "while it still brakes"
    decision = rig.tick(back(rig, rig.position_m))
    assert decision.command.gripper_hold
    assert decision.verdict.source is Source.REWIND


def test_hold_keeps_the_gripper(rig: Any) -> None:
    rig.tick(action(rig, np.zeros(6), gripper=-1.0))
    assert rig.tick(Hold()).command.gripper == 0.0


def test_a_late_action_skips_what_it_lost(rig: Any) -> None:
    start = rig.position_m
    target = action(rig, np.array([0.02, 0.0, 0.0, 0.0, 0.0, 0.0]))
    rig.run(Hold, 10)
    rig.run(lambda: target, 10)
    rig.run(lambda: action(rig, np.zeros(6), 1, valid_until_ns=10**12), 100)
    assert rig.position_m[0] - start[0] == pytest.approx(0.01, abs=1e-6)


def test_commands_carry_time_epoch_sequence_and_life(rig: Any) -> None:
    first, second = rig.tick(None).command, rig.tick(None).command
    assert second.sequence == first.sequence + 1
    assert second.t_robot_ns == 5_000_000
    assert second.valid_until_ns == 105_000_000
    assert second.epoch == rig.state.epoch


# --- What does not --------------------------------------------------------------------------------


def rejections(rig: Any) -> list[tuple[str, Any, Reject]]:
    """A proposal for every reason to refuse it, in AUTONOMOUS unless named otherwise."""
    now, move = rig.now_ns, np.array([0.01, 0.0, 0.0, 0.0, 0.0, 0.0])
    nan, inf = move * np.nan, np.array([0.0, 0.0, 0.0, 0.0, 0.0, np.inf])
    ok = action(rig, move, 5)
    return [
        ("autonomous", None, Reject.NO_PROPOSAL),
        ("autonomous", replace(ok, delta=nan), Reject.NOT_FINITE),
        ("autonomous", replace(ok, delta=inf), Reject.NOT_FINITE),
        ("autonomous", replace(ok, delta=move[:5]), Reject.SHAPE),
        ("autonomous", replace(ok, delta=move.astype(np.float32)), Reject.SHAPE),
        ("autonomous", replace(ok, delta=move.tolist()), Reject.SHAPE),
        ("autonomous", replace(ok, gripper=np.nan), Reject.NOT_FINITE),
        ("autonomous", replace(ok, gripper=1.5), Reject.NOT_FINITE),
        ("autonomous", replace(ok, epoch=ok.epoch - 1), Reject.OLD_EPOCH),
        ("autonomous", replace(ok, observed_ns=now - 1_000_000_001), Reject.STALE),
        ("autonomous", replace(ok, observed_ns=now + 1), Reject.STALE),
        ("autonomous", replace(ok, valid_from_ns=now + 1), Reject.NOT_YET_VALID),
        ("autonomous", replace(ok, valid_until_ns=now), Reject.EXPIRED),
        ("autonomous", push(rig, [0.1] * 6), Reject.NO_AUTHORITY),
        ("autonomous", home(rig, np.zeros(3)), Reject.NO_AUTHORITY),
        ("takeover", push(rig, [np.nan] * 6), Reject.NOT_FINITE),
        ("takeover", push(rig, [0.1] * 5), Reject.SHAPE),
        ("takeover", push(rig, [0.1] * 6, epoch=0), Reject.OLD_EPOCH),
        ("takeover", push(rig, [0.1] * 6, received_ns=now - 100_000_001), Reject.STALE),
        ("takeover", push(rig, [0.1] * 6, received_ns=now + 1), Reject.STALE),
        ("takeover", ok, Reject.NO_AUTHORITY),
        ("resetting", home(rig, np.full(3, np.nan)), Reject.NOT_FINITE),
        ("resetting", home(rig, np.zeros(2)), Reject.SHAPE),
        ("resetting", home(rig, np.zeros(3), quaternion=np.zeros(4)), Reject.NOT_FINITE),
        ("resetting", home(rig, np.zeros(3), quaternion=np.full(4, np.nan)), Reject.NOT_FINITE),
        ("resetting", home(rig, np.zeros(3), valid_until_ns=now), Reject.EXPIRED),
        ("resetting", back(rig, np.zeros(3)), Reject.NO_AUTHORITY),
        ("rewinding", home(rig, np.zeros(3)), Reject.NO_AUTHORITY),
        ("rewinding", ok, Reject.NO_AUTHORITY),
        ("rewinding", back(rig, np.full(3, np.nan)), Reject.NOT_FINITE),
        ("rewinding", back(rig, np.zeros(3), epoch=0), Reject.OLD_EPOCH),
        ("rewinding", back(rig, np.zeros(3), valid_until_ns=now), Reject.EXPIRED),
    ]


@pytest.mark.parametrize("index", range(32))
@pytest.mark.injects(FaultCode.ACTION_INVALID, FaultCode.OLD_EPOCH)
def test_a_bad_proposal_holds_and_says_why(rig: Any, index: int) -> None:
    rig.now_ns = 2_000_000_000
    mode, proposal, expected = rejections(rig)[index]
    rig.state = replace(rig.state, mode=Mode(mode))
    start = rig.position_m
    for _ in range(20):
        decision = rig.gate.tick(rig.now_ns, rig.measured(), proposal, rig.state)
        assert decision.verdict.reject is expected
        assert decision.verdict.source is Source.HOLD
        flagged = Limit.NOT_FINITE in decision.verdict.limits
        assert flagged == (expected in (Reject.NOT_FINITE, Reject.SHAPE))
        assert np.array_equal(decision.command.position_m, start)


def test_there_is_a_case_for_every_rejection(rig: Any) -> None:
    assert len(rejections(rig)) == 32
    covered = {reject for _, _, reject in rejections(rig)}
    elsewhere = {
        Reject.NONE,
        Reject.REPLAYED,
        Reject.RISK,
        Reject.MEASUREMENT,
        Reject.EXCURSION,
    }
    assert covered | elsewhere == set(Reject)


@pytest.mark.parametrize("mode", [Mode.IDLE, Mode.PAUSED, Mode.STOPPED, Mode.FAULT])
def test_nothing_moves_in_a_mode_without_authority(rig: Any, mode: Mode) -> None:
    rig.enter(mode)
    start = rig.position_m
    far = np.array([0.02] * 6)
    for make in (
        lambda: action(rig, far),
        lambda: push(rig, [0.2] * 6),
        lambda: home(rig, start + 0.1),
    ):
        for decision in rig.run(make, 30):
            assert decision.verdict.reject is Reject.NO_AUTHORITY
            assert np.array_equal(decision.command.position_m, start)


@pytest.mark.injects(FaultCode.INFERENCE_SLOW)
def test_an_older_action_of_the_same_epoch_is_never_replayed(rig: Any) -> None:
    old = action(rig, np.array([0.01] * 6), 3)
    rig.tick(replace(old, sequence=4))
    assert rig.tick(old).verdict.reject is Reject.REPLAYED
    rig.run(Hold, 60)  # Not after a hold either.
    late = action(rig, np.array([0.01] * 6), 3)
    assert rig.tick(late).verdict.reject is Reject.REPLAYED
    rig.enter(Mode.AUTONOMOUS)
    assert rig.tick(action(rig, np.zeros(6), 0)).verdict.reject is Reject.NONE


def test_past_the_horizon_it_decelerates_to_a_hold_at_the_measured_pose(rig: Any) -> None:
    execute(rig, np.tile([0.015, 0.0, 0.0, 0.0, 0.0, 0.0], (4, 1)))
    rig.blocked = True
    rig.position_m = rig.position_m - np.array([0.003, 0.0, 0.0])
    stale = action(rig, np.zeros(6), 3, valid_until_ns=rig.now_ns)
    decisions = rig.run(lambda: stale, 60)
    assert decisions[0].verdict.reject is Reject.EXPIRED
    assert np.linalg.norm(rig.velocities[-40]) < 0.005  # Within 100 ms.
    assert np.allclose(decisions[-1].command.position_m, rig.position_m, atol=1e-12)
    changes = np.diff([d.command.position_m[0] for d in decisions])
    assert np.abs(changes).max() < 0.4 * DT


@pytest.mark.parametrize(
    ("risk", "required", "threshold", "reject"),
    [
        (None, False, 0.5, Reject.NONE),
        (None, True, 0.5, Reject.RISK),
        (None, True, 1.0, Reject.NONE),
        (None, True, None, Reject.NONE),
        (0.5, True, 0.5, Reject.NONE),
        (0.51, False, 0.5, Reject.RISK),
        (float("nan"), False, 0.5, Reject.RISK),
        (float("inf"), False, 0.5, Reject.RISK),
        (-0.1, False, 0.5, Reject.RISK),
        (0.9, False, None, Reject.NONE),
    ],
)
@pytest.mark.injects(FaultCode.CRITIC_INVALID)
def test_risk_can_only_hold_back(
    make_rig: Callable[..., Any],
    risk: float | None,
    required: bool,
    threshold: float | None,
    reject: Reject,
) -> None:
    settings = GateSettings(period_s=DT, risk_required=required, risk_threshold=threshold)
    rig = make_rig(settings=settings)
    verdict = rig.tick(action(rig, np.zeros(6), risk=risk)).verdict
    assert verdict.reject is reject
    assert (Limit.RISK in verdict.limits) == (reject is Reject.RISK)


@pytest.mark.parametrize(
    ("of_cell", "of_critic", "risk", "reject"),
    [
        (None, 0.5, 0.5, Reject.NONE),
        (None, 0.5, 0.51, Reject.RISK),
        (0.3, 0.5, 0.4, Reject.RISK),
        (0.5, 0.3, 0.4, Reject.RISK),
        (0.5, 0.9, 0.6, Reject.RISK),
        (None, float("nan"), 0.1, Reject.RISK),
        (None, 1.5, 0.1, Reject.RISK),
    ],
)
def test_the_stricter_threshold_counts(
    make_rig: Callable[..., Any],
    of_cell: float | None,
    of_critic: float,
    risk: float,
    reject: Reject,
) -> None:
    rig = make_rig(settings=GateSettings(period_s=DT, risk_threshold=of_cell))
    proposal = replace(action(rig, np.zeros(6), risk=risk), risk_threshold=of_critic)
    assert rig.tick(proposal).verdict.reject is reject


def test_risk_concerns_the_policy_only(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(settings=GateSettings(period_s=DT, risk_required=True, risk_threshold=0.1))
    rig.enter(Mode.TAKEOVER)
    assert rig.tick(push(rig, [0.1] * 6)).verdict.reject is Reject.NONE


# --- Measurements ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["nan", "shape", "quaternion", "old", "future"])
def test_without_a_usable_measurement_it_holds(rig: Any, fault: str) -> None:
    rig.now_ns = 10**9
    good = rig.measured()
    bad = {
        "nan": replace(good, position_m=good.position_m * np.nan),
        "shape": replace(good, position_m=good.position_m[:2]),
        "quaternion": replace(good, quaternion=np.zeros(4)),
        "old": replace(good, t_robot_ns=rig.now_ns - 100_000_001),
        "future": replace(good, t_robot_ns=rig.now_ns + 1),
    }[fault]
    decision = rig.tick(action(rig, np.array([0.01] * 6)), bad)
    assert decision.verdict.reject is Reject.MEASUREMENT
    assert np.array_equal(decision.command.position_m, good.position_m)
    assert np.isfinite(decision.command.quaternion).all()


def test_the_gate_does_not_start_without_a_pose(arm_limits: ArmLimits) -> None:
    bad = Measured(t_robot_ns=0, position_m=np.full(3, np.nan), quaternion=np.zeros(4))
    with pytest.raises(LimitError, match="first measured pose"):
        Gate(arm_limits, GateSettings(period_s=DT), bad)


def test_the_caller_may_reuse_its_buffers(rig: Any) -> None:
    buffer, facing = np.array(rig.position_m), np.array(rig.quaternion)
    measured = Measured(t_robot_ns=0, position_m=buffer, quaternion=facing)
    rig.gate.take_over(0, measured)
    start = buffer.copy()
    buffer += 0.1
    facing[:] = np.nan
    assert np.allclose(rig.gate.tick(0, rig.measured(), None, rig.state).command.position_m, start)


# --- Limits, under random and adversarial proposals -----------------------------------------------


def drive_wildly(rig: Any, rng: np.random.Generator, ticks: int = 3000) -> None:
    """Proposals of every kind, wrong ones among them, changing at 10-50 Hz with long pushes."""
    kind, left, sequence, scale, direction = 0, 0, 0, 0.0, rng.uniform(-1.0, 1.0, 6)
    delta = np.zeros(6)
    target = action(rig, delta)
    for _ in range(ticks):
        if left == 0:
            kind, left = int(rng.integers(4)), int(rng.integers(4, 20))
            scale = float(rng.choice([0.01, 0.05, 1.0]))
            if rng.random() < 0.5:  # Else the same push goes on.
                direction = rng.uniform(-1.0, 1.0, 6)
            mode = (Mode.AUTONOMOUS, Mode.TAKEOVER, Mode.RESETTING, Mode.PAUSED)[kind]
            if rig.state.mode is not mode:
                rig.enter(mode)
            sequence += 1
            delta = direction * scale
            target = action(rig, delta, sequence, gripper=float(rng.uniform(-1, 1)))
        left -= 1
        proposal = (
            target,
            push(rig, (direction * scale * 10.0).tolist()),
            home(rig, np.array([0.45, 0.0, 0.2]) + direction[:3]),
            Hold(),
        )[kind]
        if rng.random() < 0.02:
            proposal = replace(target, delta=delta * np.nan)
        rig.tick(proposal)


def references(rig: Any) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([d.command.position_m for d in rig.decisions]),
        np.array([d.command.quaternion for d in rig.decisions]),
    )


def assert_box_holds(rig: Any, limits: ArmLimits) -> None:
    positions = references(rig)[0]
    assert (positions >= limits.cartesian.box_min_m - 1e-12).all()
    assert (positions <= limits.cartesian.box_max_m + 1e-12).all()


def assert_speed_holds(rig: Any, limits: ArmLimits) -> None:
    positions, quaternions = references(rig)
    speed = np.linalg.norm(np.diff(positions, axis=0), axis=1) / DT
    assert speed.max() <= limits.cartesian.speed_m_s * 1.001
    turns = [rotation.minus(b, a) for a, b in pairwise(quaternions)]
    rate = np.linalg.norm(turns, axis=1).max() / DT
    assert rate <= limits.cartesian.angular_speed_rad_s * 1.001


@pytest.mark.injects(FaultCode.TARGET_JUMP, FaultCode.TARGET_OUTSIDE)
def test_box_and_speed_hold_for_any_proposals(
    rig: Any, arm_limits: ArmLimits, rng: np.random.Generator
) -> None:
    drive_wildly(rig, rng)
    assert_box_holds(rig, arm_limits)
    assert_speed_holds(rig, arm_limits)
    for limit in (Limit.SPEED, Limit.ACCELERATION, Limit.WORKSPACE, Limit.NOT_FINITE):
        assert sum(limit in d.verdict.limits for d in rig.decisions) >= 20, limit
    assert not any(Limit.SOLVER_FALLBACK in d.verdict.limits for d in rig.decisions)


@pytest.mark.parametrize("switched_off", ["box", "speed"])
@pytest.mark.unprotected(FaultCode.TARGET_JUMP, FaultCode.TARGET_OUTSIDE)
def test_control_without_box_or_speed_limit(
    make_rig: Callable[..., Any],
    arm_limits: ArmLimits,
    rng: np.random.Generator,
    switched_off: str,
) -> None:
    cell = arm_limits.cartesian
    if switched_off == "box":
        loose = replace(cell, box_min_m=cell.box_min_m - 10.0, box_max_m=cell.box_max_m + 10.0)
        check = assert_box_holds
    else:
        loose = replace(
            cell, speed_m_s=cell.speed_m_s * LOOSE, acceleration_m_s2=cell.acceleration_m_s2 * LOOSE
        )
        check = assert_speed_holds
    rig = make_rig(replace(arm_limits, cartesian=loose))
    drive_wildly(rig, rng)
    with pytest.raises(AssertionError):
        check(rig, arm_limits)


def assert_clip_holds(rig: Any, limits: ArmLimits) -> None:
    positions, quaternions = references(rig)
    error = positions - rig.position_m
    turn = np.array([rotation.minus(q, rig.quaternion) for q in quaternions])
    clip_m, clip_rad = limits.cartesian.clip_m, limits.cartesian.clip_rad
    assert (error <= clip_m[1] + 1e-9).all()
    assert (error >= -clip_m[0] - 1e-9).all()
    assert (turn <= clip_rad[1] + 1e-9).all()
    assert (turn >= -clip_rad[0] - 1e-9).all()


def test_clip_holds_while_the_arm_is_blocked(
    make_rig: Callable[..., Any], arm_limits: ArmLimits, rng: np.random.Generator
) -> None:
    rig = make_rig(blocked=True)
    drive_wildly(rig, rng)
    assert_clip_holds(rig, arm_limits)
    for limit in (Limit.POSITION_CLIP, Limit.ROTATION_CLIP):
        assert sum(limit in d.verdict.limits for d in rig.decisions) >= 100


@pytest.mark.parametrize("name", ["clip_m", "clip_rad"])
def test_control_without_a_clip(
    make_rig: Callable[..., Any],
    arm_limits: ArmLimits,
    state_much: dict[str, float],
    rng: np.random.Generator,
    name: str,
) -> None:
    wide = replace(arm_limits.cartesian, **{name: getattr(arm_limits.cartesian, name) * LOOSE})
    rig = make_rig(replace(arm_limits, cartesian=wide, **state_much), blocked=True)
    drive_wildly(rig, rng)
    with pytest.raises(AssertionError):
        assert_clip_holds(rig, arm_limits)


def test_nothing_winds_up_against_a_wall(make_rig: Callable[..., Any]) -> None:
    """After a long push into a blocked arm the reference turns back within 100 ms."""
    rig = make_rig(blocked=True)
    execute(rig, np.tile([0.02, 0.0, 0.0, 0.0, 0.0, 0.0], (30, 1)))
    away = action(rig, np.array([-0.02, 0.0, 0.0, 0.0, 0.0, 0.0]), 30)
    rig.run(lambda: away, 20)
    assert rig.decisions[-1].command.position_m[0] < rig.position_m[0]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_person_is_slowed_before_each_wall(
    rig: Any, arm_limits: ArmLimits, axis: int, side: float
) -> None:
    rig.enter(Mode.TAKEOVER)
    twist = np.zeros(6)
    twist[axis] = side * 0.2
    decisions = rig.run(lambda: push(rig, twist.tolist()), 600)
    box = arm_limits.cartesian
    wall = (box.box_max_m if side > 0 else box.box_min_m)[axis]
    assert decisions[-1].command.position_m[axis] == pytest.approx(wall, abs=1e-4)
    assert_box_holds(rig, arm_limits)
    steps = np.diff([v[axis] for v in rig.velocities]) / DT
    assert np.abs(steps).max() <= box.acceleration_m_s2  # It stops before, not at, the wall.


def test_outside_the_box_one_may_only_come_back(rig: Any, arm_limits: ArmLimits) -> None:
    rig.enter(Mode.TAKEOVER)
    outside = arm_limits.cartesian.box_max_m + np.array([0.05, -0.1, -0.1])
    rig.position_m = outside
    rig.gate.take_over(rig.now_ns, rig.measured())
    first = rig.tick(Hold())
    assert Limit.EXCURSION in first.verdict.limits
    rig.run(Hold, 30)
    held = rig.position_m
    rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 50)
    assert rig.position_m[0] == pytest.approx(held[0], abs=1e-9)
    rig.run(lambda: push(rig, [-0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 200)
    assert rig.position_m[0] < arm_limits.cartesian.box_max_m[0]
    assert Limit.EXCURSION not in rig.decisions[-1].verdict.limits


@pytest.mark.injects(FaultCode.LIMITER_FAILED)
def test_a_failed_solver_brakes_and_is_reported(rig: Any) -> None:
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 60)

    class Broken:
        def reset(self) -> None: ...
        def update(self, *_: object) -> int:
            return -1

    rig.gate._tracker.solver = Broken()
    decisions = rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 30)
    assert all(Limit.SOLVER_FALLBACK in d.verdict.limits for d in decisions)
    assert not rig.gate.velocity.any()


# --- Takeover -------------------------------------------------------------------------------------


def test_takeover_is_bumpless(rig: Any) -> None:
    """No step of the reference, velocity kept, and the error is gone within 100 ms."""
    execute(rig, np.tile([0.015, 0.0, 0.0, 0.0, 0.0, 0.0], (5, 1)))
    before, velocity = rig.gate.position_m, rig.gate.velocity.copy()
    assert velocity[0] > 0.1
    lag = np.array([0.004, -0.002, 0.003])
    rig.position_m, rig.blocked = rig.position_m - lag, True
    rig.enter(Mode.TAKEOVER)
    rig.gate.take_over(rig.now_ns, rig.measured())
    assert np.array_equal(rig.gate.velocity, velocity)
    first = rig.tick(push(rig, [0.0] * 6))
    assert np.abs(first.command.position_m - before).max() < 0.2 * DT
    coasted = 0.0
    path = [first.command.position_m]
    for _ in range(round(DECAY_S / DT) + 20):
        coasted += rig.gate.velocity[0] * DT
        path.append(rig.tick(push(rig, [0.0] * 6)).command.position_m)
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() / DT < 0.4
    left = path[-1] - rig.position_m
    assert np.allclose(left[1:], 0.0, atol=1e-12)
    assert 0.0 <= left[0] <= 0.0061  # What was coasted, within the clip.


def hold_a_trailing_arm(rig: Any, ticks: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold an arm that trails its reference by 5 mm and stops slowly; both along x (n,) m."""
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 60)
    rig.blocked = True
    rig.position_m = rig.position_m - np.array([0.005, 0.0, 0.0])
    speed_m_s, references, arm = 0.2, [], []
    for _ in range(ticks):
        arm.append(rig.position_m[0])
        references.append(rig.tick(Hold()).command.position_m[0])
        rig.position_m = rig.position_m + np.array([speed_m_s * DT, 0.0, 0.0])
        speed_m_s *= 0.92
    return np.array(references), np.array(arm)


def test_a_hold_never_pulls_a_moving_arm_back(rig: Any) -> None:
    """The reference leads less and less, is never behind, and rests where the arm does."""
    references, arm = hold_a_trailing_arm(rig, 90)
    lead = references - arm
    moving = np.diff(arm) > 0.005 * DT
    assert moving.sum() > 40
    assert (lead[:-1][moving] > -1e-9).all()
    assert references[-1] == pytest.approx(arm[-1], abs=1e-3)
    assert np.ptp(references[-20:]) == 0.0
    assert np.abs(np.diff(references)).max() < 0.4 * DT


def test_a_hold_without_a_measurement_brakes_on_and_never_pulls_back(rig: Any) -> None:
    """The arm comes to stand beyond where it was measured last; seen again, nothing jumps."""
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 60)
    last_m = rig.position_m[0]
    lost = np.full(3, np.nan)
    blind = [
        rig.tick(Hold(), replace(rig.measured(), position_m=lost)).command.position_m[0]
        for _ in range(30)
    ]
    assert (np.diff(blind) > -1e-9).all()
    assert blind[-1] - last_m > 0.005
    rig.blocked, rig.position_m = True, rig.position_m + np.array([-0.003, 0.0, 0.0])
    seen = [rig.tick(Hold()).command.position_m[0] for _ in range(40)]
    assert np.abs(np.diff([blind[-1], *seen])).max() < 0.2 * DT
    assert seen[-1] == pytest.approx(rig.position_m[0], abs=1e-6)


def test_a_hold_follows_no_longer_than_it_may(rig: Any) -> None:
    """An arm that is pushed on and on is pushed back in the end."""
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 20)
    rig.blocked = True
    references = []
    for _ in range(100):
        references.append(rig.tick(Hold()).command.position_m[0])
        rig.position_m = rig.position_m + np.array([0.01 * DT, 0.0, 0.0])
    follows = round(FOLLOW_S / DT)
    assert references[follows] > references[follows - 10]
    assert np.ptp(references[follows + 1 :]) == 0.0


def test_a_command_says_that_the_arm_is_to_stand(rig: Any) -> None:
    assert rig.tick(None).command.hold
    assert not rig.tick(action(rig, np.zeros(6))).command.hold
    assert rig.tick(Hold()).command.hold


@pytest.mark.parametrize(("late", "kept"), [(1, True), (30, False)])
def test_an_action_a_little_late_keeps_the_lead_that_is_left(
    rig: Any, late: int, kept: bool
) -> None:
    execute(rig, np.tile([0.004, 0.0, 0.0, 0.0, 0.0, 0.0], (4, 1)))
    rig.blocked = True
    rig.position_m = rig.position_m - np.array([0.004, 0.0, 0.0])
    rig.run(Hold, late)
    before = rig.decisions[-1].command.position_m[0]
    stay = action(rig, np.zeros(6), 4, valid_until_ns=10**12)
    assert abs(rig.tick(stay).command.position_m[0] - before) < 0.4 * DT
    rig.run(lambda: stay, 40)
    lead = rig.decisions[-1].command.position_m[0] - rig.position_m[0]
    assert (lead > 0.003) == kept


def test_control_snapping_the_reference_is_a_step(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Course, "toward", lambda _, *poses: poses[2:])
    execute(rig, np.tile([0.015, 0.0, 0.0, 0.0, 0.0, 0.0], (5, 1)))
    before = rig.gate.position_m
    rig.position_m, rig.blocked = rig.position_m - 0.004, True
    rig.enter(Mode.TAKEOVER)
    rig.gate.take_over(rig.now_ns, rig.measured())
    rig.gate._lead.drop()
    first = rig.tick(push(rig, [0.0] * 6))
    assert np.abs(first.command.position_m - before).max() > 0.2 * DT


def test_takeover_drops_the_policys_window(rig: Any) -> None:
    old = action(rig, np.array([0.02, 0.0, 0.0, 0.0, 0.0, 0.0]))
    rig.tick(old)
    rig.enter(Mode.TAKEOVER)
    rig.gate.take_over(rig.now_ns, rig.measured())
    rig.enter(Mode.AUTONOMOUS)
    assert rig.tick(old).verdict.reject is Reject.OLD_EPOCH


def test_it_says_when_a_hold_has_come_to_rest(rig: Any) -> None:
    assert rig.gate.rests
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 20)
    assert not rig.gate.rests
    rig.run(lambda: Hold(), 200)
    assert rig.gate.rests


def test_hold_relaxes_to_the_measured_pose_once(rig: Any) -> None:
    """A held arm that is pushed away later pushes back; it does not creep along."""
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 20)
    rig.run(Hold, 80)
    held = rig.position_m
    rig.position_m, rig.blocked = held + 0.003, True
    decisions = rig.run(Hold, 100)
    assert np.allclose(decisions[-1].command.position_m, held, atol=1e-12)


@pytest.mark.parametrize(("windows", "slowed"), [(1, True), (2, False)])
def test_how_far_an_action_may_go_depends_on_the_time_that_it_has(
    rig: Any, windows: int, slowed: bool
) -> None:
    """40 mm along one axis: 0.4 m/s in one window, of which an axis has 1/√3; half that in two."""
    until_ns = rig.now_ns + windows * WINDOW_NS
    decision = rig.tick(action(rig, np.array([0.04, 0, 0, 0, 0, 0]), valid_until_ns=until_ns))
    assert bool(decision.verdict.limits & Limit.SPEED) is slowed
