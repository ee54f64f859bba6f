"""An arm that was carried out of its workspace stands, and moves only back in."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from safety.excursion import BACK, BEGINS, RETURN_M_S, STOPS_S, WorkspaceBrake
from safety.limits import ArmLimits
from safety.proposal import Hold, Home, PolicyTarget, Proposal, Retrace, Twist
from safety.standstill import STILL_M_S
from safety.vocabulary import Limit, Mode, Reject, Source
from tests.safety.lagging_arm import as_simulated, new_arm

DT = 0.005
SAME_M = 1e-9
"""Rounding."""
SIDES = [(axis, side) for axis in range(3) for side in (-1.0, 1.0)]


def outside(limits: ArmLimits, axis: int, side: float, beyond_m: float = 0.03) -> np.ndarray:
    """In the middle of the box but for one axis, on which it is beyond a face."""
    box = limits.cartesian
    place = 0.5 * (box.box_min_m + box.box_max_m)
    place[axis] = (box.box_max_m if side > 0 else box.box_min_m)[axis] + side * beyond_m
    return place


DRIVES = {Mode.RESETTING: Home, Mode.REWINDING: Retrace}
"""Modes of a drive to a pose, and what it proposes."""


def proposal(rig: Any, velocity: np.ndarray, mode: Mode) -> Proposal:
    """To move that way (3,) m/s, by whoever has the authority in this mode."""
    epoch = rig.state.epoch
    if mode is Mode.TAKEOVER:
        twist = np.concatenate([velocity, [0.0, 0.0, 0.3]])
        return Twist(epoch=epoch, received_ns=rig.now_ns, twist=twist)
    if mode in DRIVES:
        return DRIVES[mode](
            epoch=epoch,
            valid_until_ns=rig.now_ns + 100_000_000,
            position_m=rig.position_m + velocity,
            quaternion=rig.quaternion,
        )
    return PolicyTarget(
        sequence=0,
        epoch=epoch,
        observed_ns=rig.now_ns,
        valid_from_ns=rig.now_ns,
        valid_until_ns=rig.now_ns + 100_000_000,
        delta=np.concatenate([0.1 * velocity, np.zeros(3)]),
        gripper=0.0,
    )


def carried_out(rig: Any, place: np.ndarray, mode: Mode) -> None:
    rig.enter(mode)
    rig.position_m = place
    rig.gate.take_over(rig.now_ns, rig.measured())
    rig.run(Hold, 40)


def is_back(rig: Any, limits: ArmLimits) -> bool:
    box = limits.cartesian
    within = BACK * box.margin_m
    low, high = box.box_min_m - within, box.box_max_m + within
    return bool(((rig.position_m >= low) & (rig.position_m <= high)).all())


def assert_only_what_leads_back_in_moves(
    make_rig: Callable[..., Any], limits: ArmLimits, mode: Mode
) -> None:
    """From beyond each face: out, sideways and in are asked for, until it is back."""
    for axis, side in SIDES:
        for way in np.concatenate([np.eye(3), -np.eye(3)]):
            rig = make_rig()
            carried_out(rig, outside(limits, axis, side), mode)
            start = before = rig.position_m
            came = len(rig.decisions)
            while len(rig.decisions) < came + 40 and not is_back(rig, limits):
                before = rig.position_m
                rig.tick(proposal(rig, 0.2 * way, mode))
            moved = (before - start) * -side
            inward = moved[axis] > 1e-3
            assert np.abs(np.delete(moved, axis)).max() < SAME_M
            assert moved[axis] > -SAME_M
            assert inward == (mode in DRIVES or (mode is Mode.TAKEOVER and way[axis] == -side))
            first = rig.decisions[came].verdict
            assert Limit.EXCURSION in first.limits
            assert first.reject is (Reject.NONE if inward else Reject.EXCURSION)
            assert (first.source is Source.HOLD) == (not inward)


MODES = [Mode.TAKEOVER, *DRIVES, Mode.AUTONOMOUS]


@pytest.mark.parametrize("mode", MODES)
def test_outside_only_what_leads_back_in_is_admitted(
    make_rig: Callable[..., Any], arm_limits: ArmLimits, mode: Mode
) -> None:
    assert_only_what_leads_back_in_moves(make_rig, arm_limits, mode)


@pytest.mark.parametrize("mode", MODES)
def test_control_without_the_brake(
    make_rig: Callable[..., Any],
    arm_limits: ArmLimits,
    mode: Mode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WorkspaceBrake, "look", lambda *_: False)
    with pytest.raises(AssertionError):
        assert_only_what_leads_back_in_moves(make_rig, arm_limits, mode)


def test_an_arm_that_is_carried_out_stands_where_it_came_to_stand(
    rig: Any, arm_limits: ArmLimits
) -> None:
    """A push takes the arm 30 mm through a face while a person drives against it."""
    rig.enter(Mode.TAKEOVER)
    out = np.array([0.0, 0.2, 0.0])
    rig.run(lambda: proposal(rig, out, Mode.TAKEOVER), 400)
    rig.blocked = True
    for speed_m_s in np.linspace(0.3, 0.0, 40):
        rig.position_m = rig.position_m + np.array([0.0, speed_m_s * DT, 0.0])
        rig.tick(proposal(rig, out, Mode.TAKEOVER))
    decisions = rig.run(lambda: proposal(rig, out, Mode.TAKEOVER), 60)
    assert all(d.verdict.reject is Reject.EXCURSION for d in decisions)
    assert all(d.command.hold for d in decisions)
    assert rig.gate.rests
    assert np.allclose(decisions[-1].command.position_m, rig.position_m, atol=1e-6)
    beyond_m = rig.position_m - arm_limits.cartesian.box_max_m
    assert beyond_m.max() > arm_limits.cartesian.margin_m


def test_at_rest_outside_nothing_is_refused(rig: Any, arm_limits: ArmLimits) -> None:
    carried_out(rig, outside(arm_limits, 0, 1.0), Mode.AUTONOMOUS)
    verdict = rig.tick(Hold()).verdict
    assert verdict.reject is Reject.NONE
    assert Limit.EXCURSION in verdict.limits
    assert rig.tick(None).verdict.reject is Reject.NO_PROPOSAL


@pytest.mark.parametrize(("axis", "side"), SIDES)
def test_it_begins_before_the_margin_ends_and_ends_well_within_it(
    arm_limits: ArmLimits, axis: int, side: float
) -> None:
    box = arm_limits.cartesian
    brake = WorkspaceBrake()

    def looked(share: float, outward_m_s: float = 0.0) -> bool:
        velocity = np.zeros(3)
        velocity[axis] = side * outward_m_s
        at_m = outside(arm_limits, axis, side, share * box.margin_m)
        return brake.look(at_m, velocity, box)

    assert not looked(0.999 * BEGINS)
    assert looked(1.001 * BEGINS)
    assert brake.sides[axis] == side
    assert looked(1.001 * BACK)
    assert not looked(0.999 * BACK)
    assert not brake.sides.any()
    assert not looked(0.999 * BEGINS)


@pytest.mark.parametrize(("axis", "side"), SIDES)
def test_an_arm_that_goes_on_outward_counts_by_where_it_will_be(
    arm_limits: ArmLimits, axis: int, side: float
) -> None:
    box = arm_limits.cartesian
    brake = WorkspaceBrake()
    at_m, way = outside(arm_limits, axis, side, 0.0), np.zeros(3)
    way[axis] = side
    fast_m_s = BEGINS * box.margin_m / STOPS_S
    assert not brake.look(at_m, 0.999 * fast_m_s * way, box)
    assert brake.look(at_m, 1.001 * fast_m_s * way, box)
    assert brake.leaving
    assert brake.look(outside(arm_limits, axis, side, box.margin_m), -fast_m_s * way, box)
    assert not brake.leaving
    assert not brake.look(at_m, -2.0 * fast_m_s * way, box)


@pytest.mark.parametrize(("axis", "side"), SIDES)
def test_an_arm_that_stands_outside_does_not_leave_by_noise(
    arm_limits: ArmLimits, rng: np.random.Generator, axis: int, side: float
) -> None:
    """It would hold and let go from tick to tick while it is driven back in."""
    brake = WorkspaceBrake()
    at_m = outside(arm_limits, axis, side)
    for _ in range(50):
        noise_m_s = rng.uniform(-1.0, 1.0, 3) * STILL_M_S
        assert brake.look(at_m, noise_m_s, arm_limits.cartesian)
        assert not brake.leaving
    way = np.zeros(3)
    way[axis] = side
    assert brake.look(at_m, 1.001 * STILL_M_S * way, arm_limits.cartesian)
    assert brake.leaving


def coasted_m(limits: ArmLimits, speed_m_s: float, push_n: float) -> float:
    """How far beyond a face an arm comes that is pushed through it, where it is as heavy as 15 kg:
    a folded arm along its own links. Its law already resists as much as at this speed.
    """
    box = limits.cartesian
    arm = new_arm(limits, (0.42, float(box.box_max_m[1]), 0.15))
    arm.MASS = 15.0
    arm.run(4, (0.0, 0.1, 0.0))
    out = np.array([0.0, 1.0, 0.0])
    arm.velocity, arm.push_n = speed_m_s * out, push_n * out
    arm.force_n = -min(push_n, arm.DAMPING * speed_m_s) * out
    beyond: list[float] = []
    for _ in range(60):
        arm.run(1, (0.0, 0.1, 0.0))
        beyond.append(float(arm.position_m[1] - box.box_max_m[1]))
    return max(beyond)


@pytest.mark.parametrize(("speed_m_s", "push_n"), [(0.3, 17.0), (0.2, 20.0)])
def test_an_arm_that_is_carried_out_stands_within_the_margin(
    arm_limits: ArmLimits,
    state_much: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    speed_m_s: float,
    push_n: float,
) -> None:
    """A light one that is pushed longer and harder does not: see docs/results.md."""
    limits = as_simulated(arm_limits, state_much)
    assert coasted_m(limits, speed_m_s, push_n) < limits.cartesian.margin_m
    monkeypatch.setattr("safety.excursion.STOPS_S", 0.0)
    monkeypatch.setattr("safety.excursion.BEGINS", 1.0)
    assert coasted_m(limits, speed_m_s, push_n) > limits.cartesian.margin_m


@pytest.mark.parametrize("mode", [Mode.TAKEOVER, *DRIVES])
def test_it_comes_back_slowly(rig: Any, arm_limits: ArmLimits, mode: Mode) -> None:
    """An axis that came in fast would swing back out."""
    carried_out(rig, outside(arm_limits, 1, 1.0, 0.1), mode)
    back = rig.run(lambda: proposal(rig, np.array([0.0, -9.0, 0.0]), mode), 60)
    moved_m = np.diff([each.command.position_m[1] for each in back])
    assert -RETURN_M_S * DT * 1.05 < moved_m.min() < -0.5 * RETURN_M_S * DT


def test_the_policy_goes_on_once_the_arm_is_back(rig: Any, arm_limits: ArmLimits) -> None:
    carried_out(rig, outside(arm_limits, 2, 1.0), Mode.TAKEOVER)
    down = np.array([0.0, 0.0, -0.2])
    rig.run(lambda: proposal(rig, down, Mode.TAKEOVER), 60)
    rig.enter(Mode.AUTONOMOUS)
    rig.state = replace(rig.state, since_ns=rig.now_ns)
    verdict = rig.tick(proposal(rig, down, Mode.AUTONOMOUS)).verdict
    assert verdict.reject is Reject.NONE
    assert Limit.EXCURSION not in verdict.limits


def test_a_box_that_becomes_smaller_stops_an_arm_outside_it(
    make_rig: Callable[..., Any], arm_limits: ArmLimits
) -> None:
    rig = make_rig()
    small = replace(arm_limits.cartesian, box_min_m=rig.position_m + np.array([0.03, -0.1, -0.1]))
    rig.gate.limits = small
    verdict = rig.tick(proposal(rig, np.array([-0.2, 0.0, 0.0]), Mode.AUTONOMOUS)).verdict
    assert verdict.reject is Reject.EXCURSION


@pytest.mark.parametrize("mode", [Mode.TAKEOVER, Mode.RESETTING])
def test_an_arm_that_goes_out_is_pulled_less_on_the_other_axes(
    rig: Any, arm_limits: ArmLimits, mode: Mode
) -> None:
    """Where a link lies on something, the pull of the other axes levers the hand further out. What
    is left is the way in which the reference brakes.
    """
    rig.enter(mode)
    rig.blocked = True
    rig.run(lambda: proposal(rig, np.array([0.2, 0.0, -0.2]), mode), 100)
    assert np.abs(rig.gate.position_m - rig.position_m)[[0, 2]].min() > 3e-3
    rig.position_m = outside(arm_limits, 1, 1.0, arm_limits.cartesian.margin_m + 1e-3)
    rig.position_m[[0, 2]] = rig.decisions[-1].command.position_m[[0, 2]] - [4e-3, -3e-3]
    back = rig.run(lambda: proposal(rig, np.array([0.2, -0.2, -0.2]), mode), 60)
    assert not any(each.command.hold for each in back[5:])  # at first it seems to go on outward
    lead_m = back[-1].command.position_m - rig.position_m
    assert lead_m[1] < -5e-3
    assert np.abs(lead_m[[0, 2]]).max() < 2e-3
