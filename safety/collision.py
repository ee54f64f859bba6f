"""Keeps the links of an arm from one another and from the boxes of its cell.

Links are capsules (`safety.shape`), placed by the measured joints q. Of each pair, distance d and
the points between which it is, x on the first and y on the second, with n the unit vector from x to
y, give how d changes with the joints:

    dd/dt = n . (y' - x') = g . dq     g_k = n . (w_k x (y - p_k)) - n . (w_k x (x - p_k))

each term for the joints k that carry the point. So a pair is one row more for `safety.joint_space`:
d may shrink no faster than a velocity damper lets it (Faverjon and Tournassoud 1987), nor faster
than it can stop shrinking at the margin s by the deceleration a that joints and tool allow,

    g . dq >= -min(k (d - s), sqrt(2 a (d - s)))

Within the margin nothing comes nearer; motion away is free, and none is made.
"""

import numpy as np
from numpy.typing import NDArray

from safety import rotation
from safety.compiled import kernel
from safety.distance import segment_box, segment_segment
from safety.links import carry, disagreeing, jacobian, place, speed_of
from safety.shape import Box, CollisionLimits

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BRAKING = 0.5
"""Of the tool's and the joints' accelerations, that a pair may count on: an axis of the tool gets
1/sqrt(3) of its own, and jerk takes the rest."""

DAMPER_PER_S = 10.0
"""k. An arm that follows by impedance lags by 50 ms and swings beyond where its reference stops
hard: with the square root alone the simulated Panda went 12 mm further."""

AGREES = -1


def elsewhere(joint: int) -> str:
    """Of a joint, counted from 0, that `Collision.see` found."""
    return (
        f"the axis of joint {joint + 1} is not where the arm's Jacobian has it, so that the shape "
        "is not that of this arm, or its joints count from another zero; correct the driver's shape"
    )


class Collision:
    """State: distance (m,) of each pair as measured, less the margin, and what changes it."""

    def __init__(
        self, limits: CollisionLimits, acceleration_m_s2: float, joints_rad_s2: FloatArray
    ) -> None:
        """Accelerations of the tool, and of the joints (n,)."""
        shape = limits.shape
        count, joints = len(limits.pairs), len(shape.axes)
        self.limits = limits
        self._most_m_s2, self._joints_rad_s2 = BRAKING * acceleration_m_s2, BRAKING * joints_rad_s2
        axes = np.array([joint.direction for joint in shape.axes], dtype=np.float64)
        self._axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        self._points = np.array([joint.point_m for joint in shape.axes], dtype=np.float64)
        self._pairs = np.array(limits.indices, dtype=np.int64)
        self._link = np.array([each.link for each in shape.capsules], dtype=np.int64)
        self._radius = np.array([each.radius_m for each in shape.capsules], dtype=np.float64)
        self._ends = np.array([[each.from_m, each.to_m] for each in shape.capsules])
        self._ends_now = np.zeros_like(self._ends)
        boxes = limits.boxes
        self._centre = np.array([each.centre_m for each in boxes], np.float64).reshape(-1, 3)
        self._half = np.array([each.size_m for each in boxes], np.float64).reshape(-1, 3) / 2
        self._turned = np.array([_edges(each) for each in boxes], np.float64).reshape(-1, 3, 3)
        self._turns, self._shifts = np.zeros((joints + 1, 3, 3)), np.zeros((joints + 1, 3))
        self._axes_now, self._points_now = np.zeros((joints, 3)), np.zeros((joints, 3))
        self._at_m = np.zeros(3)
        self.gradient = np.zeros((count, joints))
        self.room_m, self.braking = np.zeros(count), np.zeros(count)

    @property
    def count(self) -> int:
        return len(self.room_m)

    @property
    def distance_m(self) -> FloatArray:
        """(m,) of each pair, between surfaces; below 0 where they overlap."""
        return self.room_m + self.limits.margin_m

    def jacobian(self, q_rad: FloatArray, at_m: FloatArray) -> FloatArray:
        """(6, n) of a TCP (3,) that is there when the joints (n,) are so."""
        self._place(q_rad)
        found = np.zeros((6, len(q_rad)))
        jacobian(self._axes_now, self._points_now, at_m, found)
        return found

    def see(
        self, q: FloatArray, at_m: FloatArray, measured: FloatArray, inverse: FloatArray,
        rows: FloatArray,
    ) -> int:  # fmt: skip
        """Take over joints (n,), TCP (3,) and Jacobian (6, n) as measured, and fill the rows (m, 6)
        of `safety.joint_space` by its damped inverse (n, 6); the first joint that is elsewhere, or
        `AGREES`.
        """
        self._at_m[:] = at_m
        self._place(q)
        away = disagreeing(self._axes_now, self._points_now, self._at_m, measured)
        if away == AGREES:
            self._look()
            combine(self.gradient, inverse, rows)
        return away

    def overlap(self) -> str | None:
        """Which pair, as last seen, is deeper in one another than can be; None: none."""
        capsules = len(self._radius)
        radius = [*self._radius.tolist(), *([np.inf] * len(self.limits.boxes))]
        for (i, j), (one, two), distance in zip(
            self.limits.indices, self.limits.pairs, self.distance_m.tolist(), strict=True
        ):
            if distance <= -min(radius[i], radius[j]):
                advice = (
                    "correct the capsules, or name the pair in ignored"
                    if j < capsules
                    else "correct the capsule or the box"
                )
                return (
                    f"{one!r} and {two!r} overlap by {-distance * 1e3:.0f} mm where the arm "
                    f"stands, which cannot be; {advice}"
                )
        return None

    def _place(self, q: FloatArray) -> None:
        place(
            self._axes, self._points, q, self._turns, self._shifts, self._axes_now, self._points_now
        )

    def _look(self) -> None:
        measure(
            self._axes_now,
            self._points_now,
            self._turns,
            self._shifts,
            self._link,
            self._radius,
            self._ends,
            self._ends_now,
            self._centre,
            self._turned,
            self._half,
            self._pairs,
            self.limits.margin_m,
            self._most_m_s2,
            self._joints_rad_s2,
            self.room_m,
            self.gradient,
            self.braking,
        )


def _edges(box: Box) -> FloatArray:
    """Directions of a box's edges in base axes, as columns (3, 3)."""
    quaternion = rotation.normalized(np.array(box.quaternion, dtype=np.float64))
    return np.stack([rotation.rotate(quaternion, edge) for edge in np.eye(3)], axis=1)


@kernel
def measure(
    axes_now: FloatArray,
    points_now: FloatArray,
    turns: FloatArray,
    shifts: FloatArray,
    link: IntArray,
    radius: FloatArray,
    ends: FloatArray,
    ends_now: FloatArray,
    centre: FloatArray,
    turned: FloatArray,
    half: FloatArray,
    pairs: IntArray,
    margin_m: float,
    most_m_s2: float,
    joints_rad_s2: FloatArray,
    room_m: FloatArray,
    gradient: FloatArray,
    braking: FloatArray,
) -> None:
    """Write of each pair its room (m,), the gradient of its distance by the joints (m, n), and the
    deceleration (m,) that it may count on. The links are where `safety.links.place` put them.
    """
    x, y, n, local = np.empty(3), np.empty(3), np.empty(3), np.empty((2, 3))
    for c in range(len(link)):
        carry(turns[link[c]], shifts[link[c]], ends[c], ends_now[c])
    for m in range(len(pairs)):
        i, j = pairs[m, 0], pairs[m, 1]
        box = j - len(link)
        if box >= 0:
            away = segment_box(ends_now[i], centre[box], turned[box], half[box], x, y, n, local)
            carries_y = 0
        else:
            away = segment_segment(ends_now[i], ends_now[j], x, y, n) - radius[j]
            carries_y = link[j]
        room_m[m] = away - radius[i] - margin_m
        joints = 0.0
        for k in range(len(axes_now)):
            change = 0.0
            if k < carries_y:
                change += speed_of(axes_now, points_now, k, y, n)
            if k < link[i]:
                change -= speed_of(axes_now, points_now, k, x, n)
            gradient[m, k] = change
            joints += abs(change) * joints_rad_s2[k]
        braking[m] = min(most_m_s2, joints)


@kernel
def combine(gradient: FloatArray, inverse: FloatArray, rows: FloatArray) -> None:
    """Write how each distance changes with the motion of the tool: gradient (m, n) inverse (n, 6)
    as rows (m, 6).
    """
    for m in range(len(gradient)):
        for a in range(6):
            total = 0.0
            for k in range(len(inverse)):
                total += gradient[m, k] * inverse[k, a]
            rows[m, a] = total
