"""What the robot did last, as measured, so that it can go back the way it came. No input or output.

One trail for all arms: they go back together, as far apart from one another as they were. The poses
are the measured ones: the reference of an arm that presses is inside of what it presses on.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safety.joint_space import LENGTH_M

type Vector = NDArray[np.float64]

SPACING_M = 0.002
"""Way between two points, of the arm that moved the most; a radian counts as `LENGTH_M`."""
POINTS = 2000
"""Kept at most: 4 m of way."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TcpPose:
    """Measured `tcp_in_base`: (3,) m and (4,) w x y z."""

    position_m: Vector
    quaternion: Vector


type Poses = tuple[TcpPose, ...]
"""One of each arm, in the order of the cell."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrailPoint:
    """`way_m` and `moved_s` are counted from where the trail began."""

    poses: Poses
    way_m: float
    moved_s: float  # without the time in which the robot rested
    safe: bool


class Trail:
    """State: the newest points, the newest one last."""

    def __init__(self) -> None:
        self._points: deque[TrailPoint] = deque(maxlen=POINTS)
        self._seen_ns, self._moved_s = 0, 0.0
        self._safe = True  # in every tick since the newest point

    def clear(self, now_ns: int) -> None:
        """What was before is no way back."""
        self._points.clear()
        self._seen_ns, self._moved_s = now_ns, 0.0
        self._safe = True

    def follow(self, now_ns: int, poses: Poses, *, moving: bool, safe: bool) -> None:
        """Called in every tick, but not while the robot goes back along the trail.

        A point is safe when all ticks since the one before it were.
        """
        self._safe &= safe
        self._moved_s += (now_ns - self._seen_ns) * 1e-9 if moving else 0.0
        self._seen_ns = now_ns
        newest = self._points[-1] if self._points else None
        way_m = 0.0 if newest is None else apart_m(poses, newest.poses)
        if newest is not None and way_m < SPACING_M:
            return
        copied = tuple(
            TcpPose(position_m=np.array(pose.position_m), quaternion=np.array(pose.quaternion))
            for pose in poses
        )
        self._points.append(
            TrailPoint(
                poses=copied,
                way_m=way_m if newest is None else newest.way_m + way_m,
                moved_s=self._moved_s,
                safe=self._safe,
            )
        )
        self._safe = True

    def way_back(self, distance_m: float, time_s: float) -> tuple[TrailPoint, ...]:
        """From the newest point to the one to go back to, which was safe; empty: there is none.

        From the newest safe one on it is no further back than `distance_m` and `time_s` of motion.
        """
        back = tuple(reversed(self._points))
        begin = next((number for number, point in enumerate(back) if point.safe), None)
        if begin is None:
            return ()
        safe, end = back[begin], begin
        for number in range(begin + 1, len(back)):
            point = back[number]
            if safe.way_m - point.way_m > distance_m or safe.moved_s - point.moved_s > time_s:
                break
            end = number if point.safe else end
        return back[: end + 1] if back[0].way_m - back[end].way_m >= SPACING_M else ()

    def cut(self, now_ns: int, way_m: float) -> None:
        """The robot is back where the trail was so long: what came after that is undone, and
        neither its time nor that of going back counts.
        """
        while self._points and self._points[-1].way_m > way_m + 1e-6:
            self._points.pop()
        self._seen_ns = now_ns
        self._moved_s = self._points[-1].moved_s if self._points else 0.0
        self._safe = True


def apart_m(these: Sequence[TcpPose], those: Sequence[TcpPose]) -> float:
    """The way between the poses of the arm that moved the most."""
    return max(_apart_m(this, that) for this, that in zip(these, those, strict=True))


def _apart_m(this: TcpPose, that: TcpPose) -> float:
    shifted_m = math.dist(this.position_m.tolist(), that.position_m.tolist())
    cosine = abs(math.sumprod(this.quaternion.tolist(), that.quaternion.tolist()))
    return math.hypot(shifted_m, 2.0 * math.acos(min(cosine, 1.0)) * LENGTH_M)
