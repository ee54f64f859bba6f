"""A hold ends at the measured pose, however far the reference led and however the pose is seen."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from safety.gate import Measured
from safety.hold import FOLLOW_S
from safety.limits import ArmLimits
from safety.proposal import Twist
from safety.vocabulary import Mode
from tests.safety.conftest import PERIOD_NS, Rig
from tests.safety.lagging_arm import as_simulated, new_arm

CORNER = np.array([0.25, 0.25, 0.25])
PASSED_M = 1e-3
NOISE_M = 4e-5
"""In 5 ms this looks like 8 mm/s, more than a hold calls still."""


@pytest.fixture
def limits(arm_limits: ArmLimits, state_much: dict[str, float]) -> ArmLimits:
    simulated = as_simulated(arm_limits, state_much)
    turns = replace(simulated.cartesian, clip_rad=np.full((2, 3), 0.1))
    return replace(simulated, cartesian=turns)


@pytest.fixture
def pressing(make_rig: Callable[..., Rig], limits: ArmLimits) -> Rig:
    """An arm that stands before something solid, its reference a whole clip away on every axis."""
    rig = make_rig(limits, blocked=True)
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig), 200)
    lead_m = rig.gate.position_m - rig.position_m
    np.testing.assert_allclose(lead_m, np.full(3, 0.02), atol=2e-4)
    return rig


def push(rig: Rig, turning: float = 0.0) -> Twist:
    twist = np.concatenate([CORNER, [turning, -turning, 0.0]])
    return Twist(epoch=rig.state.epoch, received_ns=rig.now_ns, twist=twist)


def unseen(rig: Rig) -> Measured:
    return replace(rig.measured(), position_m=np.full(3, np.nan))


@pytest.mark.parametrize("turning_ticks", [0, 8, 16])
def test_a_hold_of_a_pressed_arm_ends_where_the_arm_stands(
    pressing: Rig, turning_ticks: int
) -> None:
    """And hardly passes it: what turns on while it decays is braked meanwhile."""
    pressing.run(lambda: push(pressing, 0.8), turning_ticks)
    held = pressing.run(lambda: None, 60)
    assert pressing.gate.rests
    np.testing.assert_allclose(held[-1].command.position_m, pressing.position_m, atol=1e-6)
    leads_m = np.array([each.command.position_m for each in held]) - pressing.position_m
    assert leads_m.min() > -PASSED_M


def test_a_hold_that_begins_unseen_ends_where_the_arm_was_seen(pressing: Rig) -> None:
    held = [pressing.tick(None, unseen(pressing)) for _ in range(60)]
    assert pressing.gate.rests
    np.testing.assert_allclose(held[-1].command.position_m, pressing.position_m, atol=1e-6)


def test_an_unseen_arm_that_came_on_three_axes_is_not_pulled_back(limits: ArmLimits) -> None:
    arm = new_arm(limits)
    arm.run(24, tuple(CORNER.tolist()))
    arm.blind = True
    ways: list[np.ndarray] = []
    for _ in range(120):
        arm.run(1, None)
        ways.append(arm.position_m)
    assert np.max(np.max(ways, axis=0) - ways[-1]) < 2.5e-3


@pytest.mark.parametrize("seen_of", [2, 3, 5])
def test_a_pose_that_comes_and_goes_lets_a_hold_stand(pressing: Rig, seen_of: int) -> None:
    """A noisy one too: what it seems to move by is taken over once, as the hold is first unseen."""
    rng = np.random.default_rng(1)
    ticks = round((FOLLOW_S + 0.1) * 1e9 / PERIOD_NS)
    stood_m: list[np.ndarray] = []
    for tick in range(ticks + 100):
        seen = pressing.measured()
        noisy = replace(seen, position_m=seen.position_m + rng.normal(0.0, NOISE_M, 3))
        at = pressing.tick(None, noisy if tick % seen_of else unseen(pressing))
        if tick >= ticks:
            assert pressing.gate.rests
            stood_m.append(at.command.position_m)
    np.testing.assert_array_equal(np.ptp(stood_m, axis=0), np.zeros(3))
    np.testing.assert_allclose(stood_m[0], pressing.position_m, atol=1e-3)


def test_after_a_hold_has_followed_for_long_no_motion_is_taken_over(pressing: Rig) -> None:
    """Else an arm that something moves would be followed anew whenever its pose comes back."""
    tracker: Any = pressing.gate._tracker
    taken: list[np.ndarray] = []
    tracker.go_on = taken.append
    for tick in range(round(FOLLOW_S * 1e9 / PERIOD_NS) + 20):
        pressing.position_m = pressing.position_m + np.array([0.0, 1e-3, 0.0])
        pressing.tick(None, None if tick * PERIOD_NS < FOLLOW_S * 1e9 else unseen(pressing))
    assert not taken


@pytest.mark.parametrize("speed_m_s", [0.1, 0.25])
def test_an_arm_that_is_moved_on_is_followed_no_longer_than_that(
    pressing: Rig, speed_m_s: float
) -> None:
    """However fast: afterwards the reference stays, and the arm is pulled back to it."""
    way_m = np.array([0.0, -speed_m_s * PERIOD_NS * 1e-9, 0.0])
    held: list[np.ndarray] = []
    for _ in range(round((FOLLOW_S + 0.3) * 1e9 / PERIOD_NS)):
        pressing.position_m = pressing.position_m + way_m
        held.append(pressing.tick(None).command.position_m)
    assert pressing.gate.rests
    assert held[-1][1] - pressing.position_m[1] > 0.01
