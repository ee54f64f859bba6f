"""Where the TCP must be by now, from measurements whose age changes from tick to tick."""

import numpy as np
import pytest

from safety import rotation
from safety.seen import AHEAD_S, SeenPose

MS = 1_000_000
DOWN = np.array([0.0, 1.0, 0.0, 0.0])
SPEED = np.array([0.25, -0.1, 0.0])
TURNING = np.array([0.0, 0.0, 0.8])


def begun(position_m: np.ndarray, quaternion: np.ndarray) -> SeenPose:
    return SeenPose(0, position_m, quaternion, speed_m_s=0.5, turning_rad_s=1.0)


def pose(t_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Of an arm that moves and turns steadily."""
    return SPEED * t_ns * 1e-9, rotation.plus(DOWN, TURNING * t_ns * 1e-9)


def seen_every(period_ms: int, control_ms: int, ticks: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the arm was thought to be in each tick of control, and was measured; (n, 3) each."""
    seen = begun(*pose(0))
    thought: list[np.ndarray] = []
    measured: list[np.ndarray] = []
    for tick in range(1, ticks):
        now_ns = tick * control_ms * MS
        t_ns = now_ns // (period_ms * MS) * period_ms * MS
        seen.see(t_ns, *pose(t_ns))
        thought.append(seen.at(now_ns)[0])
        measured.append(seen.position_m)
        assert np.abs(rotation.minus(seen.at(now_ns)[1], pose(now_ns)[1])).max() < 1e-9
    return np.array(thought), np.array(measured)


def trembling_m(positions_m: np.ndarray) -> float:
    return float(np.abs(np.diff(positions_m[1:], 2, axis=0)).max())


def test_a_steady_motion_is_carried_on_whatever_the_age() -> None:
    """An arm of 500 Hz under control of 200 Hz: every other measurement is 1 ms old."""
    thought, measured = seen_every(period_ms=2, control_ms=5, ticks=40)
    assert trembling_m(thought) < 1e-12
    assert trembling_m(measured) > 4e-4, "the control: what was measured does tremble"


def test_a_measurement_is_not_carried_on_for_ever() -> None:
    seen = begun(*pose(0))
    seen.see(2 * MS, *pose(2 * MS))
    late_m, _ = seen.at(1_000 * MS)
    np.testing.assert_allclose(late_m, pose(2 * MS)[0] + SPEED * AHEAD_S)


def test_two_measurements_in_a_burst_do_not_throw_the_pose_ahead() -> None:
    """A driver that stamps what it reads: 2 ms of motion at 0.2 m/s seem to have taken 0.1 ms."""
    seen = begun(np.zeros(3), DOWN)
    seen.see(2 * MS, np.array([4e-4, 0.0, 0.0]), DOWN)
    seen.see(2 * MS + MS // 10, np.array([8e-4, 0.0, 0.0]), DOWN)
    here_m, _ = seen.at(4 * MS + MS // 10)
    np.testing.assert_allclose(here_m, [8e-4 + 0.2 * 2e-3, 0.0, 0.0])


def test_no_pose_is_carried_on_faster_than_the_arm_may_go() -> None:
    seen = begun(np.zeros(3), DOWN)
    turned = rotation.plus(DOWN, np.array([0.0, 0.1, 0.0]))
    seen.see(2 * MS, np.array([0.03, 0.04, 0.0]), turned)  # 25 m/s, 50 rad/s: a jump
    here_m, here = seen.at(6 * MS)
    np.testing.assert_allclose(here_m, [0.03 + 0.3 * 4e-3, 0.04 + 0.4 * 4e-3, 0.0])
    np.testing.assert_allclose(rotation.minus(here, turned), [0.0, 4e-3, 0.0], atol=1e-12)


def test_what_has_moved_only_once_is_where_it_was_measured() -> None:
    position_m, quaternion = pose(0)
    seen = begun(position_m, 2.0 * quaternion)
    here_m, here = seen.at(3 * MS)
    np.testing.assert_array_equal(here_m, position_m)
    np.testing.assert_allclose(here, quaternion)


@pytest.mark.parametrize(("speed_m_s", "still"), [(0.0, True), (0.0005, True), (0.05, False)])
def test_whether_it_stands_is_of_the_time_between_two_measurements(
    speed_m_s: float, still: bool
) -> None:
    seen = begun(np.zeros(3), DOWN)
    seen.see(2 * MS, np.array([speed_m_s * 2e-3, 0.0, 0.0]), DOWN)
    assert seen.still is still
    seen.see(2 * MS, np.array([speed_m_s * 2e-3, 0.0, 0.0]), DOWN)
    assert seen.still is still, "the same measurement again says nothing of motion"


def test_the_callers_buffers_may_be_used_again() -> None:
    position_m = np.zeros(3)
    seen = begun(position_m, DOWN)
    position_m[0] = 1.0
    assert seen.position_m[0] == 0.0
