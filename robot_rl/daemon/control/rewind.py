"""The drive back along the trail: a goal that moves slowly and waits for the arms. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from robot_rl.daemon.control.home import REACHED_M
from robot_rl.daemon.control.trail import SPACING_M, Poses, TcpPose, TrailPoint, apart_m
from safety import rotation
from safety.proposal import Hold, Proposal, Retrace
from safety.standstill import at_rest

LEAD_M = 0.01
"""Of the goal before an arm's reference, at most; a radian counts as in the trail."""
NEAR_M = 0.001
"""Of a reference to its last goal: it has arrived."""
RAMP_NS = 300_000_000
"""In which the goal comes to its speed, so that an arm that lags does not have to catch up."""
PATIENCE_NS = 3_000_000_000
"""Without progress; then something is in the way."""
FORCE_NS = 20_000_000
"""A force that lasts so long is one, and no single measurement or impact."""


class RewindLeg(StrEnum):
    BACK = "back"
    REACHED = "reached"
    MISSED = "missed"
    PRESSED = "pressed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RewindDrive:
    """State of the drive; `leg` says how far it came."""

    points: tuple[TrailPoint, ...]  # from where it began to where it goes
    marks_m: tuple[float, ...]  # way from the beginning to each point
    moves: tuple[bool, ...]  # of each arm; one that only stood there stays
    done_m: float
    speed_m_s: float
    free_ns: int | None  # since when no force has been too large; None: it is
    pressed_ns: int | None  # since when one is that was not before
    begun_ns: int
    at_ns: int
    progress_ns: int  # when the goal moved last
    epoch: int
    leg: RewindLeg

    @property
    def length_m(self) -> float:
        return self.marks_m[-1]

    @property
    def back_m(self) -> float:
        """How far along the trail it is, as its points count their way."""
        return self.points[0].way_m - self.done_m

    def goals(self) -> Poses:
        """Where each arm should be now."""
        after = min(bisect_right(self.marks_m, self.done_m), len(self.marks_m) - 1)
        begin_m, end_m = self.marks_m[after - 1], self.marks_m[after]
        share = min((self.done_m - begin_m) / (end_m - begin_m), 1.0)
        pairs = zip(self.points[after - 1].poses, self.points[after].poses, strict=True)
        return tuple(
            TcpPose(
                position_m=this.position_m + share * (that.position_m - this.position_m),
                quaternion=rotation.slerp(this.quaternion, that.quaternion, share),
            )
            for this, that in pairs
        )

    def proposals(self) -> list[Proposal]:
        """What each arm's gate is asked for now."""
        return [
            Retrace(
                epoch=self.epoch,
                valid_until_ns=self.at_ns + PATIENCE_NS,
                position_m=goal.position_m,
                quaternion=goal.quaternion,
            )
            if moves
            else Hold()
            for goal, moves in zip(self.goals(), self.moves, strict=True)
        ]


def begin(
    here: Poses, way: Sequence[TrailPoint], *, speed_m_s: float, epoch: int, now_ns: int
) -> RewindDrive:
    """Start from where the arms rest, along a way of `Trail.way_back`."""
    first = replace(way[0], poses=here, way_m=way[0].way_m + apart_m(here, way[0].poses))
    # A point right where the arms are adds nothing to the way.
    points = (first, *(point for point in way if first.way_m - point.way_m > 1e-9))
    marks = tuple(first.way_m - point.way_m for point in points)
    moves = tuple(
        any(apart_m([point.poses[arm]], [pose]) > SPACING_M for point in points)
        for arm, pose in enumerate(here)
    )
    return RewindDrive(
        points=points,
        marks_m=marks,
        moves=moves,
        done_m=0.0,
        speed_m_s=speed_m_s,
        free_ns=None,
        pressed_ns=None,
        begun_ns=now_ns,
        at_ns=now_ns,
        progress_ns=now_ns,
        epoch=epoch,
        leg=RewindLeg.BACK,
    )


def advance(
    drive: RewindDrive,
    references: Poses,
    measured: Poses,
    *,
    speed_m_s: float,
    force: bool,
    now_ns: int,
) -> RewindDrive:
    """One tick. `speed_m_s`: of the fastest TCP, as measured. `force`: one is beyond what is safe.

    The force with which it began may last; one that comes again after it had gone ends the drive.
    """
    passed_s = (now_ns - drive.at_ns) * 1e-9
    drive = _felt(replace(drive, at_ns=now_ns), force=force, now_ns=now_ns)
    if drive.pressed_ns is not None and now_ns - drive.pressed_ns >= FORCE_NS:
        return replace(drive, leg=RewindLeg.PRESSED)
    if now_ns - drive.progress_ns >= PATIENCE_NS:
        return replace(drive, leg=RewindLeg.MISSED)
    behind_m = _behind_m(drive, references)
    if drive.done_m < drive.length_m:
        if behind_m > LEAD_M:
            return drive
        share = min((now_ns - drive.begun_ns) / RAMP_NS, 1.0)
        done_m = min(drive.done_m + share * drive.speed_m_s * passed_s, drive.length_m)
        return replace(drive, done_m=done_m, progress_ns=now_ns)
    arrived = behind_m < NEAR_M and _behind_m(drive, measured) < REACHED_M and at_rest(speed_m_s)
    return replace(drive, leg=RewindLeg.REACHED) if arrived else drive


def _felt(drive: RewindDrive, *, force: bool, now_ns: int) -> RewindDrive:
    if not force:
        free_ns = now_ns if drive.free_ns is None else drive.free_ns
        return replace(drive, free_ns=free_ns, pressed_ns=None)
    if drive.free_ns is None or drive.pressed_ns is not None:
        return drive
    if now_ns - drive.free_ns < FORCE_NS:
        return replace(drive, free_ns=None)  # it had not gone yet
    return replace(drive, pressed_ns=now_ns)


def _behind_m(drive: RewindDrive, poses: Poses) -> float:
    """How far the arm that moves is from its goal; of several, the farthest."""
    pairs = zip(drive.moves, drive.goals(), poses, strict=True)
    return max((apart_m([pose], [goal]) for moves, goal, pose in pairs if moves), default=0.0)
