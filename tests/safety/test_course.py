"""The reference goes on as it went, whoever drives, however the arm follows or late a tick is."""

from itertools import pairwise

import numpy as np
import pytest

from safety import rotation
from safety.course import BEND_M_S2, BEND_RAD_S2, Course
from safety.gate import Measured
from safety.limits import ArmLimits
from safety.proposal import Hold, Twist
from tests.safety.lagging_arm import MS, PERIOD_MS, STATE, UPRIGHT, as_simulated, new_arm

JUMP_M = 1e-3  # docs/safety.md: at a change of driver, from the motion of the tick before
ALONG_Y, DIAGONAL = (0.0, 0.25, 0.0), (0.25, 0.25, 0.25)


@pytest.fixture
def limits(arm_limits: ArmLimits, state_much: dict[str, float]) -> ArmLimits:
    return as_simulated(arm_limits, state_much)


def changed(
    limits: ArmLimits,
    direction: tuple[float, float, float],
    moving_ticks: int,
    hold_ticks: int,
    late: tuple[int, int] | None = None,
) -> float:
    """The largest bend after a change of driver of an arm that moves, m. `late`: which tick after
    it comes late, and by how many ms.
    """
    arm = new_arm(limits)
    arm.run(moving_ticks, direction)
    begin = len(arm.references)
    if late is not None:
        arm.late_ms[begin + late[0]] = late[1]
    arm.take_over()
    arm.run(hold_ticks, None)
    arm.run(40, (0.0, -0.25, 0.0))
    return arm.largest_bend_m(begin)


@pytest.mark.parametrize("direction", [ALONG_Y, DIAGONAL], ids=["along y", "diagonal"])
@pytest.mark.parametrize("moving_ticks", [6, 12, 24, 80])
@pytest.mark.parametrize("hold_ticks", [1, 2, 8, 30])
def test_a_change_of_driver_bends_the_reference_little(
    limits: ArmLimits, direction: tuple[float, float, float], moving_ticks: int, hold_ticks: int
) -> None:
    """Also while the arm speeds up, and is slower than its reference."""
    assert changed(limits, direction, moving_ticks, hold_ticks) <= JUMP_M


@pytest.mark.parametrize("late_ms", [2, 4, 5, 10, 20])
@pytest.mark.parametrize("at", [1, 3, 5, 9])
@pytest.mark.parametrize("hold_ticks", [0, 4, 30])
def test_a_late_tick_is_not_caught_up_in_one(
    limits: ArmLimits, hold_ticks: int, at: int, late_ms: int
) -> None:
    assert changed(limits, ALONG_Y, 80, hold_ticks, (at, late_ms)) <= JUMP_M


def test_an_arm_that_is_pushed_away_takes_its_reference_no_farther(limits: ArmLimits) -> None:
    """By 6 cm in a tick: the clip takes the reference along, and it stays on that side."""
    gate = new_arm(limits).gate
    start_m = reference_m = gate.position_m
    for tick in range(1, 20):
        now_ns = 20 * MS + tick * PERIOD_MS * MS
        pushed_m = start_m + np.array([0.0, 0.06 if tick > 8 else 0.0, 0.0])
        measured = Measured(t_robot_ns=now_ns, position_m=pushed_m, quaternion=UPRIGHT)
        stands = Twist(epoch=STATE.epoch, received_ns=now_ns, twist=np.zeros(6))
        reference_m = gate.tick(now_ns, measured, stands, STATE).command.position_m
    np.testing.assert_allclose(reference_m, start_m + np.array([0.0, 0.04, 0.0]), atol=1e-6)


def test_control_a_reference_that_follows_at_once_jumps(
    limits: ArmLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Course, "toward", lambda _, *pose: pose[2:])
    assert changed(limits, ALONG_Y, 12, 8) > JUMP_M
    assert changed(limits, DIAGONAL, 12, 8) > 1.5 * JUMP_M
    assert changed(limits, ALONG_Y, 80, 4, (3, 20)) > JUMP_M


def test_a_hold_is_with_the_arm_again_soon(limits: ArmLimits) -> None:
    arm = new_arm(limits)
    arm.run(12, DIAGONAL)
    arm.run(40, None)
    assert np.linalg.norm(arm.velocity) < 1e-3
    assert np.linalg.norm(arm.references[-1] - arm.position_m) < 1e-3


def test_an_arm_that_is_turned_away_in_a_hold_is_followed_in_steps(limits: ArmLimits) -> None:
    gate = new_arm(limits).gate
    angles_rad: list[float] = []
    for tick in range(1, 60):
        now_ns = 20 * MS + tick * PERIOD_MS * MS
        facing = turned(0.025 if tick > 12 else 0.0)
        measured = Measured(
            t_robot_ns=now_ns, position_m=np.array([0.42, -0.1, 0.15]), quaternion=facing
        )
        pushed = Twist(epoch=STATE.epoch, received_ns=now_ns, twist=np.array([0, 0.1, 0, 0, 0, 0]))
        proposal = pushed if tick < 12 else Hold()
        command = gate.tick(now_ns, measured, proposal, STATE).command
        angles_rad.append(float(rotation.minus(command.quaternion, UPRIGHT)[2]))
    bends = np.abs(np.diff(angles_rad, 2))
    assert bends.max() == pytest.approx(BEND_RAD_S2 * 25e-6, rel=1e-6)
    assert angles_rad[-1] == pytest.approx(0.025, abs=1e-3)


# --- The bend itself ------------------------------------------------------------------------------


def turned(angle_rad: float) -> np.ndarray:
    return rotation.plus(UPRIGHT, np.array([0.0, 0.0, angle_rad]))


def went(course: Course, way_m: np.ndarray, turn_rad: float) -> tuple[np.ndarray, np.ndarray]:
    """From the origin as far as this is near enough; where it is then."""
    goal_m, goal = course.toward(np.zeros(3), UPRIGHT, way_m, turned(turn_rad))
    course.note(np.zeros(3), UPRIGHT, goal_m, goal)
    return goal_m, goal


def test_what_is_near_enough_is_reached_and_the_rest_is_shortened() -> None:
    course = Course(0.005)
    bend_m, bend_rad = BEND_M_S2 * 25e-6, BEND_RAD_S2 * 25e-6
    here_m, here = went(course, np.array([0.9e-3, 0.0, 0.0]), 0.002)
    np.testing.assert_allclose(course.moved, [0.9e-3, 0.0, 0.0, 0.0, 0.0, 0.002], atol=1e-12)
    near_m, near = np.array([1.8e-3, 0.9 * bend_m, 0.0]), turned(0.004 + 0.9 * bend_rad)
    for reached, goal in zip(
        course.toward(here_m, here, near_m, near), (near_m, near), strict=True
    ):
        np.testing.assert_array_equal(reached, goal)
    far_m, far = np.array([1.8e-3, 0.0, -3.0 * bend_m]), turned(0.004 - 3.0 * bend_rad)
    reached_m, reached = course.toward(here_m, here, far_m, far)
    np.testing.assert_allclose(reached_m, [1.8e-3, 0.0, -bend_m], atol=1e-12)
    np.testing.assert_allclose(
        rotation.minus(reached, here), [0.0, 0.0, 0.002 - bend_rad], atol=1e-9
    )


def test_what_a_clip_adds_is_not_run_on_with_and_what_is_held_back_is_no_motion() -> None:
    course, here_m = Course(0.005), np.zeros(3)
    course.toward(here_m, UPRIGHT, np.array([0.5e-3, 0.0, 0.0]), turned(0.001))
    course.note(here_m, UPRIGHT, np.array([0.05, 0.0, 0.0]), turned(0.3))  # the arm was pushed
    np.testing.assert_allclose(course.moved, [0.5e-3, 0.0, 0.0, 0.0, 0.0, 0.001], atol=1e-12)
    course.toward(here_m, UPRIGHT, np.array([0.5e-3, 0.0, 0.0]), turned(0.001))
    course.note(here_m, UPRIGHT, here_m, UPRIGHT)  # it is blocked
    np.testing.assert_array_equal(course.moved, np.zeros(6))


def test_a_far_goal_is_reached_in_the_end() -> None:
    course, here_m = Course(0.005), np.zeros(3)
    goal_m = np.array([0.004, -0.003, 0.0])
    path: list[np.ndarray] = [here_m]
    for _ in range(40):
        next_m, _ = course.toward(here_m, UPRIGHT, goal_m, UPRIGHT)
        course.note(here_m, UPRIGHT, next_m, UPRIGHT)
        path.append(next_m)
        here_m = next_m
    np.testing.assert_allclose(here_m, goal_m, atol=1e-12)
    along = [float(np.dot(b - a, goal_m)) for a, b in pairwise(path)]
    assert max(along) <= np.linalg.norm(goal_m) * 4 * BEND_M_S2 * 25e-6, "it does not race there"
