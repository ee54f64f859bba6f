"""The tracked reference: its limits hold, it arrives, and it brakes when the solver fails."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from safety import rotation
from safety.faults import FaultCode
from safety.limits import CartesianLimits
from safety.tracking import SolverError, Tracker, stopping_distance

DT = 0.005


class BrokenSolver:
    """A solver that never finds a plan."""

    def reset(self) -> None: ...

    def update(self, planned: object, output: object) -> int:
        return -100


UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


@pytest.fixture
def tracker(cartesian: CartesianLimits) -> Tracker:
    return Tracker(cartesian, DT, np.zeros(3), UPRIGHT)


def jumps(tracker: Tracker, rng: np.random.Generator, ticks: int = 3000) -> np.ndarray:
    """Positions-velocities-accelerations (n, 3, 6) under goals and twists that jump wildly."""
    found, last, facing = [], tracker.position_m, tracker.quaternion
    by_pose, goal, turn, twist = True, np.zeros(3), np.zeros(3), np.zeros(6)
    for k in range(ticks):
        if k % 15 == 0:
            goal, turn = rng.uniform(-1.0, 1.0, 3), rng.uniform(-2.0, 2.0, 3)
            twist = rng.uniform(-1.0, 1.0, 6) * np.repeat([0.23, 0.86], 3)
            by_pose = rng.random() < 0.5
        with suppress(SolverError):
            if by_pose:
                tracker.toward(goal, rotation.exponential(turn))
            else:
                tracker.along(twist)
        change = [*(tracker.position_m - last), *rotation.minus(tracker.quaternion, facing)]
        last, facing = tracker.position_m, tracker.quaternion
        found.append([np.array(change) / DT, tracker.velocity.copy(), tracker.acceleration.copy()])
    return np.array(found)


def assert_limits_hold(motion: np.ndarray, limits: CartesianLimits) -> None:
    def norm(values: np.ndarray, part: slice) -> float:
        return float(np.linalg.norm(values[..., part], axis=-1).max())

    change, velocity, acceleration = motion[:, 0], motion[:, 1], motion[:, 2]
    jerk = np.diff(acceleration, axis=0) / DT
    for part, speed, most, rate in (
        (slice(0, 3), limits.speed_m_s, limits.acceleration_m_s2, limits.jerk_m_s3),
        (
            slice(3, 6),
            limits.angular_speed_rad_s,
            limits.angular_acceleration_rad_s2,
            limits.angular_jerk_rad_s3,
        ),
    ):
        assert norm(change, part) <= speed * 1.001
        assert norm(velocity, part) <= speed * 1.001
        assert norm(acceleration, part) <= most * 1.001
        assert norm(jerk, part) <= rate * 1.001


@pytest.mark.injects(FaultCode.TARGET_JUMP)
def test_speed_acceleration_and_jerk_hold_for_any_jumps(
    tracker: Tracker, cartesian: CartesianLimits, rng: np.random.Generator
) -> None:
    assert_limits_hold(jumps(tracker, rng), cartesian)


@pytest.mark.parametrize(
    "name",
    [
        "speed_m_s",
        "acceleration_m_s2",
        "jerk_m_s3",
        "angular_speed_rad_s",
        "angular_acceleration_rad_s2",
        "angular_jerk_rad_s3",
    ],
)
@pytest.mark.unprotected(FaultCode.TARGET_JUMP)
def test_control_with_one_limit_switched_off(
    cartesian: CartesianLimits, rng: np.random.Generator, name: str
) -> None:
    loose = replace(cartesian, **{name: getattr(cartesian, name) * 20.0})
    with pytest.raises(AssertionError):
        assert_limits_hold(jumps(Tracker(loose, DT, np.zeros(3), UPRIGHT), rng), cartesian)


def test_arrives_at_rest_without_overshoot(tracker: Tracker) -> None:
    goal, facing = np.array([0.1, -0.05, 0.02]), rotation.exponential(np.array([0.2, -0.4, 0.1]))
    furthest = np.zeros(3)
    for _ in range(400):
        tracker.toward(goal, facing)
        furthest = np.maximum(furthest, np.abs(tracker.position_m))
    assert tracker.at_rest
    assert np.allclose(tracker.position_m, goal, atol=1e-9)
    assert np.allclose(rotation.minus(facing, tracker.quaternion), 0.0, atol=1e-9)
    assert (furthest <= np.abs(goal) + 1e-9).all()


def test_a_steady_twist_moves_at_that_twist(tracker: Tracker) -> None:
    """An unchanged input must not be sampled further along the old plan."""
    twist = np.array([0.1, 0.0, -0.05, 0.0, 0.3, 0.0])
    for _ in range(100):
        tracker.along(twist)
    before, facing = tracker.position_m, tracker.quaternion
    for _ in range(100):
        tracker.along(twist)
    assert np.allclose(tracker.position_m - before, twist[:3] * 100 * DT, atol=1e-9)
    assert np.allclose(rotation.minus(tracker.quaternion, facing), twist[3:] * 100 * DT, atol=1e-9)


def test_turns_beyond_half_a_turn(tracker: Tracker) -> None:
    for _ in range(3000):
        tracker.along(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.8]))
    assert tracker.velocity[5] == pytest.approx(0.8)
    assert np.linalg.norm(tracker.quaternion) == pytest.approx(1.0)


def test_move_to_keeps_velocity_and_drops_acceleration(tracker: Tracker) -> None:
    for _ in range(5):
        tracker.along(np.full(6, 0.2))
    velocity = tracker.velocity.copy()
    assert tracker.acceleration.any()
    tracker.move_to(np.ones(3), UPRIGHT)
    assert np.array_equal(tracker.velocity, velocity)
    assert not tracker.acceleration.any()


def test_a_wall_stops_only_motion_into_it(tracker: Tracker) -> None:
    for _ in range(60):
        tracker.along(np.array([0.2, -0.2, 0.1, 0.0, 0.0, 0.0]))
    tracker.block(np.array([-0.01, -0.01, 0.0]))
    assert tracker.velocity[0] == 0.0
    assert tracker.velocity[1] < 0.0
    assert tracker.velocity[2] > 0.0


def test_tighter_limits_hold_soon_after_they_are_set(
    tracker: Tracker, cartesian: CartesianLimits
) -> None:
    for _ in range(100):
        tracker.along(np.array([0.23, 0.0, 0.0, 0.0, 0.0, 0.0]))
    tracker.limit_to(replace(cartesian, speed_m_s=0.1))
    for _ in range(60):
        tracker.along(np.array([0.23, 0.0, 0.0, 0.0, 0.0, 0.0]))
    assert np.linalg.norm(tracker.velocity[:3]) <= 0.1


def test_an_unsolvable_plan_becomes_a_stop_within_the_jerk_limit(
    tracker: Tracker, cartesian: CartesianLimits
) -> None:
    for _ in range(100):
        tracker.along(np.array([0.2, -0.1, 0.0, 0.5, 0.0, 0.0]))
    motion = []
    for _ in range(40):
        with pytest.raises(SolverError, match="nan"):
            tracker.along(np.full(6, np.nan))
        motion.append([tracker.velocity.copy(), tracker.velocity.copy(), tracker.acceleration])
    assert_limits_hold(np.array(motion), cartesian)
    assert tracker.at_rest


@pytest.mark.injects(FaultCode.LIMITER_FAILED)
def test_brakes_when_the_solver_is_broken(tracker: Tracker, cartesian: CartesianLimits) -> None:
    for _ in range(100):
        tracker.along(np.array([0.2, -0.1, 0.0, 0.5, 0.0, 0.0]))
    tracker.solver = BrokenSolver()
    speeds = []
    for _ in range(40):
        with pytest.raises(SolverError, match="-100"):
            tracker.along(np.full(6, 0.1))
        speeds.append(np.abs(tracker.velocity))
    changes = np.diff(np.array(speeds), axis=0)
    assert (changes <= 0.0).all()
    assert (-changes[:, :3] <= cartesian.acceleration_m_s2 * DT).all()
    assert tracker.at_rest
    assert np.isfinite(tracker.position_m).all()


@pytest.mark.parametrize("speed", [0.002, 0.05, 0.2])
def test_stops_at_a_wall_within_its_limits(
    tracker: Tracker, cartesian: CartesianLimits, speed: float
) -> None:
    wall, twist = 0.05, np.array([speed, -0.1, 0.0, 0.0, 0.0, 0.3])
    motion = []
    for _ in range(round(wall / speed / DT) + 200):
        room = np.array([wall - tracker.position_m[0], np.inf, np.inf])
        tracker.along(twist, room)
        motion.append([tracker.velocity.copy(), tracker.velocity.copy(), tracker.acceleration])
    assert_limits_hold(np.array(motion), cartesian)
    assert tracker.position_m[0] == pytest.approx(wall, abs=1e-9)
    assert np.allclose(tracker.velocity, [0.0, -0.1, 0.0, 0.0, 0.0, 0.3], atol=1e-9)
    tracker.along(np.array([-0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), np.array([0.2, np.inf, np.inf]))
    assert tracker.velocity[0] < 0.0


@pytest.mark.parametrize("speed", [0.01, 0.2])
def test_stopping_distance_is_what_the_tracker_needs(tracker: Tracker, speed: float) -> None:
    for _ in range(200):
        tracker.along(np.array([speed, 0.0, 0.0, 0.0, 0.0, 0.0]))
    start = tracker.position_m[0]
    while not tracker.at_rest:
        tracker.along(np.zeros(6))
    expected = stopping_distance(
        np.array([speed]), tracker.max_acceleration[:1], tracker.max_jerk[:1]
    )
    assert tracker.position_m[0] - start == pytest.approx(expected[0], rel=1e-3)
