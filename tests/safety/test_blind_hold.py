"""A hold without a usable pose brakes on as the arm moves, not as the reference did."""

import numpy as np
import pytest

from safety.limits import ArmLimits
from safety.tracking import Tracker
from tests.safety.lagging_arm import as_simulated, new_arm

THERE, BACK = (0.0, 0.25, 0.0), (0.0, -0.25, 0.0)
PULLED_M = 2e-3
"""What the spring of the law may still take back: the arm stops in another way than the plan."""


def pulled_back_m(limits: ArmLimits, there: int, back: int, held: int) -> float:
    """By how much an arm that went on is taken back, once it holds and is not seen; so many ticks
    of control it is driven there, turned back, and held while it is still seen.
    """
    arm = new_arm(limits)
    arm.run(there, THERE)
    arm.run(back, BACK)
    arm.run(held, None)
    arm.blind = True
    ways: list[float] = []
    for _ in range(120):
        arm.run(1, None)
        ways.append(float(arm.position_m[1]))
    return max(ways) - ways[-1]


@pytest.fixture
def limits(arm_limits: ArmLimits, state_much: dict[str, float]) -> ArmLimits:
    return as_simulated(arm_limits, state_much)


@pytest.mark.parametrize("held", [0, 1, 6])
@pytest.mark.parametrize(("there", "back"), [(80, 0), (80, 8), (80, 16), (80, 20), (12, 0)])
def test_an_arm_that_is_not_seen_is_not_pulled_back(
    limits: ArmLimits, there: int, back: int, held: int
) -> None:
    """Also where the reference had already turned back, and the arm went on."""
    assert pulled_back_m(limits, there, back, held) < PULLED_M


def test_control_by_the_reference_it_is_pulled_back(
    limits: ArmLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tracker, "go_on", lambda *_: None)
    assert pulled_back_m(limits, 80, 20, 0) > 3.0 * PULLED_M


def test_a_motion_is_taken_over_no_faster_than_the_limits(limits: ArmLimits) -> None:
    """An arm that was pushed, or a pose that jumped once, is beyond them."""
    gate = new_arm(limits).gate
    tracker = gate._tracker
    tracker.acceleration = np.ones(6)
    tracker.go_on(np.array([0.1, -9.0, 0.0, 0.0, 9.0, 0.0]))
    most = tracker.max_velocity
    np.testing.assert_array_equal(tracker.velocity, [0.1, -most[1], 0.0, 0.0, most[4], 0.0])
    np.testing.assert_array_equal(tracker.acceleration, np.zeros(6))
