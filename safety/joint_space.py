"""What the joints allow of the reference's next motion: range, speed, acceleration, singularity;
and, where the arm's shape is known, what its links and the things around them allow.

For any number of joints n. The twist v (6,) of the reference, rotation scaled by a length, moves
the joints at about dq = J+ v, with J+ the damped inverse of the measured Jacobian:

    J = U S V^T     J+ = V diag(s / (s^2 + l^2)) U^T     l^2 = (d/2)^2 (1 - (s/d)^2) for s < d
                                              (Nakamura and Hanafusa 1986; Chiaverini 1997)

1. Singularity: the part of v along a direction of U with s < d is scaled by s / d, never below
   CREEP, so that one can always come back. It is announced before, at s < ANNOUNCED.
2. Acceleration: the change of v is scaled until no joint speeds up by more than its limit allows.
   Slowing down is never held back.
3. Speed: v is scaled, so that the motion keeps its direction. `share` does so before the motion is
   planned; what acceleration and a changing Jacobian leave over is scaled here.
4. Range: dq stays below the speed from which a joint stops before its end, by its acceleration a:
   sqrt(2 a distance), in steps of the period. v becomes the nearest that all joints allow, so that
   motion slides along a limit: min |w - v|^2 with low <= J+ w <= high (`safety.nearest`).
5. Collision: each pair that may not touch (`safety.collision`) is one row more, g J+.

A redundant arm turns by its own posture law in its nullspace, which J+ does not know; every tick
begins from the joints as measured, so that this cannot add up.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from safety.checked import LimitError
from safety.collision import AGREES, DAMPER_PER_S, Collision, elsewhere
from safety.compiled import kernel
from safety.limits import ArmLimits, JointLimits
from safety.measured import Measured
from safety.nearest import SWEEPS, dot, project
from safety.vocabulary import Limit

FloatArray = NDArray[np.float64]

LENGTH_M = 0.25
"""A radian of the tool counts like this much of its travel: about the lever of a hand."""

DAMPED = 0.03
"""Singular value (m/rad) below which motion is damped. A Panda works at 0.1; at 0.03 half a metre a
second along the weak direction needs 17 rad/s."""

ANNOUNCED = 0.045
"""Singular value below which a singularity is announced."""

CREEP = 0.1
"""Share of the motion along a weak direction that is always let through."""

RESERVE_RAD = 0.05
"""A joint stops this far before the end of its range: where the arm's own loop begins to push."""

SPEED_SHARE = 0.9
"""Of the joint's speed limit that the reference may ask: the arm overshoots what it follows."""

NEARLY = 0.98
"""Of the speed limit: what is asked for from the start, so that the last bound need not act."""

JOINT = int(Limit.JOINT)
SINGULARITY = int(Limit.SINGULARITY)


class JointSpace:
    """State: inverse of the measured Jacobian, the joints, the reference's last twist.

    `contradiction`: why the arm's shape cannot be that of the arm as measured, to complete a
    sentence; None: it agrees. Until it does, nothing keeps the links apart: no motion is admitted.
    """

    def __init__(
        self,
        limits: JointLimits,
        acceleration_rad_s2: FloatArray,
        period_s: float,
        collision: Collision | None = None,
    ) -> None:
        joints = len(limits.velocity_rad_s)
        self.joints, self._period_s, self.collision = joints, period_s, collision
        self._least, self._most = limits.position_min_rad, limits.position_max_rad
        self._speed = limits.velocity_rad_s
        self._acceleration = acceleration_rad_s2
        self._q, self._seen_q = np.zeros(joints), np.zeros(joints)
        self._seen_jacobian = np.zeros((6, joints))
        rows = joints + (0 if collision is None else collision.count)
        self._rows = np.zeros((rows, 6))  # how joints, then distances, change with the motion
        self._inverse = self._rows[:joints]
        self._low, self._high = np.zeros(rows), np.full(rows, np.inf)
        self._room_m = np.zeros(0) if collision is None else collision.room_m
        self._braking = np.zeros(0) if collision is None else collision.braking
        self._weak, self._factors = np.zeros((6, min(6, joints))), np.ones(min(6, joints))
        self.contradiction: str | None = None
        self._checked = False  # that nothing overlapped where the arm stood first
        self._before = np.zeros(6)
        self._allowed = np.zeros(6)
        self.least_singular = np.inf

    @classmethod
    def of(cls, limits: ArmLimits, period_s: float) -> Self | None:
        """None: these limits say nothing of accelerations, so the gate knows of no joints."""
        joints, shape = limits.joints, limits.collision
        found = joints.acceleration_rad_s2
        if found is None:
            return None
        most = limits.cartesian.acceleration_m_s2
        return cls(
            joints, found, period_s, None if shape is None else Collision(shape, most, found)
        )

    def begin(self, measured: Measured) -> None:
        """The first measurement. Raises LimitError where the arm's shape contradicts it."""
        self.see(measured)
        if (why := self.contradiction) is not None:
            raise LimitError(f"{why[0].upper()}{why[1:]}.")

    def see(self, measured: Measured) -> bool:
        """Take over a measurement, its joints (n,) and Jacobian (6, n); whether it can be used."""
        self.contradiction = None
        q_rad, jacobian = measured.q_rad, measured.jacobian
        if q_rad is None or jacobian is None:
            return False
        if q_rad.shape != (self.joints,) or jacobian.shape != (6, self.joints):
            return False
        # Copied first: a kernel would be compiled anew for a view into shared memory.
        self._seen_q[:], self._seen_jacobian[:] = q_rad, jacobian
        if not usable(self._seen_q, self._seen_jacobian):
            return False
        self._q[:] = self._seen_q
        self.least_singular = decompose(
            self._seen_jacobian, self._inverse, self._weak, self._factors
        )
        if self.collision is not None:
            self._compare(self.collision, measured.position_m)
        return True

    def _compare(self, collision: Collision, at_m: FloatArray) -> None:
        rows = self._rows[self.joints :]
        away = collision.see(self._q, at_m, self._seen_jacobian, self._inverse, rows)
        if away != AGREES:
            self.contradiction = elsewhere(away)
        elif not self._checked:
            self.contradiction = collision.overlap()
            self._checked = self.contradiction is None

    def share(self, twist: FloatArray) -> float:
        """By how much a twist (6,) must be scaled for no joint to exceed its speed; at most 1."""
        return slower(self._inverse, self._speed, twist)

    def bound(
        self,
        twist: FloatArray,
        lead: FloatArray,
        back_m_s: FloatArray,
        forth_m_s: FloatArray,
        *,
        moving: bool,
    ) -> tuple[FloatArray, Limit]:
        """What is allowed of a twist (6,) of the reference, and the limits that acted.

        lead (6,): reference minus measured pose, m and rad. back, forth (3,): what the limits that
        come after let it move by, back <= 0 <= forth. A hold (not moving) is let through: it
        decelerates anyway.
        """
        announced = SINGULARITY if self.least_singular < ANNOUNCED else 0
        if not moving:
            self._before[:] = twist
            return twist, Limit(announced)
        acted = allow(
            self._rows,
            self._low,
            self._high,
            self._weak,
            self._factors,
            self._q,
            self._least,
            self._most,
            self._speed,
            self._acceleration,
            self._room_m,
            self._braking,
            self._before,
            lead,
            twist,
            back_m_s,
            forth_m_s,
            self._period_s,
            self._allowed,
        )
        self._before[:] = self._allowed
        return (self._allowed.copy() if acted else twist), Limit(acted | announced)


@kernel
def usable(q: FloatArray, jacobian: FloatArray) -> bool:
    """Whether all are numbers, and the Jacobian is not all zero: then its driver has none."""
    for value in q:
        if not np.isfinite(value):
            return False
    found = False
    for row in jacobian:
        for value in row:
            if not np.isfinite(value):
                return False
            found |= value != 0.0
    return found


@kernel
def decompose(
    jacobian: FloatArray, inverse: FloatArray, weak: FloatArray, factors: FloatArray
) -> float:
    """Fill the damped inverse (n, 6), the directions (6, k) and their factors (k,); the least
    singular value. k = min(6, n).
    """
    scaled = np.empty(jacobian.shape)
    for a in range(6):
        for j in range(jacobian.shape[1]):
            scaled[a, j] = jacobian[a, j] * (1.0 if a < 3 else LENGTH_M)
    u, s, vt = np.linalg.svd(scaled, full_matrices=False)
    for j in range(inverse.shape[0]):
        for a in range(6):
            inverse[j, a] = 0.0
    for i in range(len(s)):
        share = min(s[i] / DAMPED, 1.0)
        gain = s[i] / (s[i] * s[i] + 0.25 * DAMPED * DAMPED * (1.0 - share * share))
        factors[i] = max(share, CREEP)
        for a in range(6):
            weak[a, i] = u[a, i]
            for j in range(inverse.shape[0]):
                inverse[j, a] += vt[i, j] * gain * u[a, i]
    return float(s[-1])


@kernel
def slower(inverse: FloatArray, speed: FloatArray, twist: FloatArray) -> float:
    """1 where no joint asks for more than its speed, else by how much it is too fast."""
    found = 1.0
    for j in range(len(speed)):
        rate = 0.0
        for a in range(6):
            rate += inverse[j, a] * twist[a] * (1.0 if a < 3 else LENGTH_M)
        found = min(found, NEARLY * SPEED_SHARE * speed[j] / max(abs(rate), 1e-9))
    return found


@kernel
def allow(
    rows: FloatArray,
    low: FloatArray,
    high: FloatArray,
    weak: FloatArray,
    factors: FloatArray,
    q: FloatArray,
    least: FloatArray,
    most: FloatArray,
    speed: FloatArray,
    acceleration: FloatArray,
    room_m: FloatArray,
    braking: FloatArray,
    before: FloatArray,
    lead: FloatArray,
    twist: FloatArray,
    back: FloatArray,
    forth: FloatArray,
    period_s: float,
    allowed: FloatArray,
) -> int:
    """Write the allowed twist (6,); the flags of what acted, 0 when it is the twist itself.

    rows (n + m, 6): speed of the joints, then of the distances; low and high (n + m,) are scratch.
    """
    flags, joints = 0, len(q)
    wanted, last, ahead = np.empty(6), np.empty(6), np.empty(6)
    for a in range(6):
        unit = 1.0 if a < 3 else LENGTH_M
        wanted[a], last[a], ahead[a] = unit * twist[a], unit * before[a], unit * lead[a]
    for i in range(len(factors)):
        if factors[i] < 1.0:
            along = 0.0
            for a in range(6):
                along += weak[a, i] * wanted[a]
            for a in range(6):
                wanted[a] -= (1.0 - factors[i]) * along * weak[a, i]
            flags |= SINGULARITY
    share = 1.0
    for j in range(joints):
        rate = dot(rows[j], wanted)
        was = dot(rows[j], last)
        step = acceleration[j] * period_s
        if rate > max(was, 0.0) + step:
            share = min(share, (max(was, 0.0) + step - was) / (rate - was))
        elif rate < min(was, 0.0) - step:
            share = min(share, (min(was, 0.0) - step - was) / (rate - was))
        leads = dot(rows[j], ahead)
        room = most[j] - RESERVE_RAD - q[j] - max(leads, 0.0)
        high[j] = min(SPEED_SHARE * speed[j], _stopping(room, acceleration[j], period_s))
        room = q[j] + min(leads, 0.0) - least[j] - RESERVE_RAD
        low[j] = -min(SPEED_SHARE * speed[j], _stopping(room, acceleration[j], period_s))
    if share < 1.0:
        flags |= JOINT
        for a in range(6):
            wanted[a] = last[a] + share * (wanted[a] - last[a])
    share = 1.0
    for j in range(joints):
        rate = abs(dot(rows[j], wanted))
        share = min(share, SPEED_SHARE * speed[j] / max(rate, 1e-9))
    if share < 1.0:
        flags |= JOINT
        for a in range(6):
            wanted[a] *= share
    for i in range(len(room_m)):
        leads = dot(rows[joints + i], ahead)
        room = room_m[i] + min(leads, 0.0)
        low[joints + i] = -min(_stopping(room, braking[i], period_s), DAMPER_PER_S * max(room, 0.0))
    flags |= project(rows, low, high, joints, wanted, back, forth, SWEEPS)
    for a in range(6):
        allowed[a] = wanted[a] / (1.0 if a < 3 else LENGTH_M)
    return flags


@kernel
def _stopping(room: float, acceleration: float, period_s: float) -> float:
    """Speed from which what brakes from the next period on stops within the room."""
    if room <= 0.0:
        return 0.0
    step = 0.5 * acceleration * period_s
    return np.sqrt(step * step + 2.0 * acceleration * room) - step
