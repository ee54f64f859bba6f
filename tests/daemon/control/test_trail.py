"""The trail: what is kept of the motion, and how far back it is safe to go."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from robot_rl.daemon.control.rewind import LEAD_M, RewindDrive, RewindLeg, advance, begin
from robot_rl.daemon.control.trail import POINTS, SPACING_M, Poses, TcpPose, Trail, apart_m
from safety import rotation
from safety.proposal import Hold, Retrace

MS = 1_000_000
DOWN = np.array([0.0, 1.0, 0.0, 0.0])


def pose(x: float | np.floating[Any], turn: float = 0.0) -> TcpPose:
    turned = rotation.plus(DOWN, np.array([0.0, 0.0, turn]))
    return TcpPose(position_m=np.array([x, 0.0, 0.2]), quaternion=turned)


def walked(
    trail: Trail,
    far_m: float,
    *,
    begin_m: float = 0.0,
    begin_ns: int = 0,
    speed_m_s: float = 0.1,
    unsafe_m: tuple[float, float] = (9, 9),
) -> int:
    """One arm along x; the time, ns."""
    now_ns = begin_ns
    for x in np.arange(begin_m, far_m + 1e-9, speed_m_s * 0.005):
        now_ns += 5 * MS
        trail.follow(now_ns, (pose(x),), moving=True, safe=not unsafe_m[0] < x < unsafe_m[1])
    return now_ns


def ends_m(way: tuple) -> tuple[float, float]:
    return way[0].poses[0].position_m[0], way[-1].poses[0].position_m[0]


def test_points_are_as_far_apart_as_they_should_be_and_as_many_as_are_kept() -> None:
    trail = Trail()
    walked(trail, 9.0, speed_m_s=0.3)
    way = trail.way_back(100.0, 1000.0)
    assert len(way) == POINTS
    gaps = [newer.way_m - older.way_m for newer, older in pairwise(way)]
    assert min(gaps) >= SPACING_M
    assert max(gaps) < 2 * SPACING_M + 1e-9


@pytest.mark.parametrize(
    ("distance_m", "time_s", "back_m"), [(0.1, 30.0, 0.1), (0.5, 0.5, 0.05), (0.5, 30.0, 0.2)]
)
def test_back_by_distance_or_time_or_to_where_it_began(
    distance_m: float, time_s: float, back_m: float
) -> None:
    trail = Trail()
    walked(trail, 0.2)
    begin_m, end_m = ends_m(trail.way_back(distance_m, time_s))
    assert begin_m - end_m == pytest.approx(back_m, abs=1.1 * SPACING_M)


def test_time_in_which_nothing_moved_does_not_count() -> None:
    trail = Trail()
    now_ns = walked(trail, 0.1)
    for x in (0.1, 0.104):
        now_ns += 60_000 * MS
        trail.follow(now_ns, (pose(x),), moving=False, safe=True)
    begin_m, end_m = ends_m(trail.way_back(0.5, 0.5))
    assert begin_m - end_m == pytest.approx(0.054, abs=2 * SPACING_M)


def test_what_was_not_safe_is_gone_over_and_never_the_end() -> None:
    trail = Trail()
    walked(trail, 0.2, unsafe_m=(0.15, 0.3))
    begin_m, end_m = ends_m(trail.way_back(0.05, 30.0))
    assert (begin_m, end_m) == pytest.approx((0.2, 0.1), abs=2 * SPACING_M)
    middle = Trail()
    walked(middle, 0.2, unsafe_m=(0.05, 0.16))
    _, end_m = ends_m(middle.way_back(0.1, 30.0))
    assert end_m == pytest.approx(0.16, abs=2 * SPACING_M), "the last that was safe within 0.1 m"


def test_nothing_safe_nothing_moved_or_nothing_kept_is_no_way_back() -> None:
    trail = Trail()
    assert trail.way_back(0.1, 3.0) == ()
    trail.follow(0, (pose(0.0),), moving=True, safe=True)
    assert trail.way_back(0.1, 3.0) == ()
    walked(trail, 0.2, unsafe_m=(-1.0, 1.0))
    trail.clear(0)
    walked(trail, 0.2, unsafe_m=(-1.0, 1.0))
    assert trail.way_back(0.1, 3.0) == ()


def test_one_tick_that_is_not_safe_counts_for_the_point_after_it() -> None:
    trail = Trail()
    for number in range(200):
        trail.follow(number, (pose(number * 1e-4),), moving=True, safe=number != 105)
    unsafe = [point for point in trail.way_back(1.0, 9.0) if not point.safe]
    assert len(unsafe) == 1


def test_what_was_gone_back_is_not_there_any_more() -> None:
    trail = Trail()
    walked(trail, 0.2)
    way = trail.way_back(0.1, 30.0)
    trail.cut(0, way[-1].way_m)
    begin_m, end_m = ends_m(trail.way_back(0.1, 30.0))
    assert (begin_m, end_m) == pytest.approx((0.1, 0.0), abs=2 * SPACING_M)


def test_neither_what_is_undone_nor_going_back_counts_as_motion() -> None:
    trail = Trail()
    now_ns = walked(trail, 0.1, speed_m_s=0.02)
    now_ns += 60_000 * MS
    trail.cut(now_ns, 0.05)
    walked(trail, 0.06, begin_m=0.05, begin_ns=now_ns, speed_m_s=0.02)
    begin_m, end_m = ends_m(trail.way_back(0.1, 3.5))
    assert begin_m - end_m == pytest.approx(0.06, abs=2 * SPACING_M)


def test_motion_before_the_trail_began_does_not_count() -> None:
    trail = Trail()
    walked(trail, 0.1)
    trail.clear(60_000 * MS)
    walked(trail, 0.1, begin_ns=60_000 * MS)
    way = trail.way_back(0.5, 30.0)
    assert way[0].moved_s == pytest.approx(1.0, abs=0.05)
    assert way[-1].moved_s == pytest.approx(0.0, abs=0.05)


def test_a_turn_alone_is_a_way_too() -> None:
    trail = Trail()
    for number in range(101):
        trail.follow(number * 5 * MS, (pose(0.4, turn=number * 0.01),), moving=True, safe=True)
    way = trail.way_back(0.125, 30.0)
    turned = rotation.minus(way[0].poses[0].quaternion, way[-1].poses[0].quaternion)
    assert turned[2] == pytest.approx(0.5, abs=0.02)


def test_the_caller_may_reuse_its_arrays() -> None:
    trail = Trail()
    position_m = np.array([0.0, 0.0, 0.2])
    for number in range(50):
        position_m[0] = number * 1e-3
        trail.follow(
            number, (TcpPose(position_m=position_m, quaternion=DOWN),), moving=True, safe=True
        )
    assert ends_m(trail.way_back(1.0, 9.0)) == pytest.approx((0.048, 0.0))


# ---- the drive along it --------------------------------------------------------------------------


def set_off(far_m: float = 0.1) -> RewindDrive:
    trail = Trail()
    walked(trail, far_m)
    return begin(
        (pose(far_m),), trail.way_back(1.0, 30.0), speed_m_s=0.1, epoch=4, now_ns=0
    )  # fmt: skip


def go_on(
    drive: RewindDrive, ticks: int, *, blocked_at: Poses | None = None, force: bool = False
) -> RewindDrive:
    """Arms that follow at once, or stand."""
    for _ in range(ticks):
        there = blocked_at or drive.goals()
        drive = advance(
            drive, there, there, speed_m_s=0.0, force=force, now_ns=drive.at_ns + 5 * MS
        )
    return drive


def test_it_goes_back_at_its_speed_and_arrives() -> None:
    drive = go_on(set_off(), 100)
    assert drive.leg is RewindLeg.BACK
    assert drive.done_m == pytest.approx(0.1 * (0.5 - 0.15), abs=0.001), "0.3 s to its speed"
    (goal,) = drive.goals()
    assert goal.position_m[0] == pytest.approx(0.1 - drive.done_m, abs=1e-6)
    (proposal,) = drive.proposals()
    assert isinstance(proposal, Retrace)
    assert proposal.epoch == 4
    drive = go_on(drive, 135)
    assert drive.leg is RewindLeg.REACHED
    assert drive.back_m == pytest.approx(0.0, abs=1e-9)


def test_an_arm_that_follows_slowly_is_not_blocked() -> None:
    """By a limit profile, say: it takes 20 s for what should take one."""
    drive, x = set_off(), 0.1
    for _ in range(4100):
        x = max(x - 0.005 * 0.005, 0.0)
        there = (pose(x),)
        drive = advance(
            drive, there, there, speed_m_s=0.0, force=False, now_ns=drive.at_ns + 5 * MS
        )
    assert drive.leg is RewindLeg.REACHED


def test_the_goal_waits_for_an_arm_that_cannot_follow_and_gives_up_in_the_end() -> None:
    stuck = (pose(0.1),)
    drive = go_on(set_off(), 400, blocked_at=stuck)
    assert drive.leg is RewindLeg.BACK
    assert LEAD_M <= drive.done_m < LEAD_M + 0.001
    assert go_on(drive, 700, blocked_at=stuck).leg is RewindLeg.MISSED


def test_a_force_may_last_from_before_but_not_come_again() -> None:
    drive = go_on(set_off(), 20, force=True)
    assert drive.leg is RewindLeg.BACK
    drive = go_on(drive, 20)
    drive = go_on(drive, 3, force=True)
    assert drive.leg is RewindLeg.BACK, "no single measurement"
    assert go_on(drive, 3, force=True).leg is RewindLeg.PRESSED


def test_a_force_that_has_hardly_gone_is_the_same_one() -> None:
    drive = go_on(set_off(), 5, force=True)
    drive = go_on(go_on(drive, 1), 20, force=True)
    assert drive.leg is RewindLeg.BACK


def test_several_arms_go_back_together_and_one_that_stood_stays() -> None:
    trail = Trail()
    for number in range(101):
        x = number * 1e-3
        trail.follow(number * 5 * MS, (pose(x), pose(0.4), pose(2 * x)), moving=True, safe=True)
    here = (pose(0.1), pose(0.4), pose(0.2))
    drive = begin(here, trail.way_back(1.0, 30.0), speed_m_s=0.1, epoch=1, now_ns=0)
    drive = go_on(drive, 100)
    left, _, right = drive.goals()
    done_m = drive.done_m
    assert right.position_m[0] == pytest.approx(0.2 - done_m), "the fastest sets the speed"
    assert left.position_m[0] == pytest.approx(0.1 - 0.5 * done_m)
    assert [type(each) for each in drive.proposals()] == [Retrace, Hold, Retrace]
    assert apart_m(drive.goals(), here) == pytest.approx(done_m)
