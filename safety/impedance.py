"""Cartesian impedance law and brake law for the fast loop (500 Hz and more).

    e = [p_d - p ; rotation vector from R to R_d], clipped per axis and direction
    tau = a [J^T (K e - D J dq) + N^T (k_n (q_n - q) - d_n dq) - h M dq] - d(dq) + b(q, dq) + bias
    |tau - tau_previous| <= step, |tau| <= limit

N^T = I - J^T (J J^T + r I)^-1 J projects the posture torque out of the task, so that contact force
at rest stays below K c wherever b is zero. The error is clipped here again although the gate has
done so: the arm moves between two commands. h M dq, with the joint-space inertia M, brakes a
holding arm (h is 0 otherwise): its motion dies out at the rate h, without turning, whatever its
pose; h is less where all torque together could not be taken back before the arm stands. d brakes a
joint beyond `FAST_SHARE` of its speed limit, by the brake law's damping: an arm overshoots what it
follows. Both are zero at rest and only dissipate, so that no bound depends on them. a, at most 1,
weakens pull and damping as a whole where a joint has not the torque for them: with one joint at its
limit and the others as wanted the wrench would be another one, and beyond K c on some axis; and a
pull that comes back in full, once damping alone is too much for a wrist, gives more energy than it
took. b pushes a joint back from the end of its range, see `_barrier`; elsewhere it is zero. A brake
that ends there starts no motion: b then begins where the brake held the joint, see `yield_to`.
Kernels write into `out` and `scratch` and allocate nothing; `scratch` keeps how far each joint's b
has yielded.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safety import rotation
from safety.compiled import kernel
from safety.limits import ArmLimits, LimitError
from safety.standstill import STILL_RAD_S
from safety.vocabulary import Limit

FloatArray = NDArray[np.float64]

POSITION_CLIP = int(Limit.POSITION_CLIP)
ROTATION_CLIP = int(Limit.ROTATION_CLIP)
TORQUE = int(Limit.TORQUE)
TORQUE_RATE = int(Limit.TORQUE_RATE)
NOT_FINITE = int(Limit.NOT_FINITE)
BRAKE = int(Limit.BRAKE)
JOINT = int(Limit.JOINT)

JOINTS = 7
"""The kernels are written out for arms of this many joints."""

REGULARISATION = 1e-10
"""Added to J J^T so that the projection exists at singularities. Of the posture torque its share of
J J^T stays in the task: with 1e-6 that was 0.02 N beside a contact force of K c."""

JOINT_ZONE_RAD = 0.05
"""Width of the zone before a joint's limit in which it is pushed back."""

JOINT_AHEAD_S = 0.1
"""A joint is judged by where it will be: the torque rate needs this long to stop it. So it comes
back with its own damping: no faster than its depth in the zone in this time."""

FAST_SHARE = 0.8
"""Of a joint's speed limit, beyond which it is braked: near a singularity it gains 40 rad/s^2 while
the hand hardly moves."""

JOINT_BACK_RAD_S = 0.05
"""A barrier that yielded to a brake takes its zone back at this speed; 0.04 m/s at 0.8 m."""

TAKEN_BACK = 0.75
"""Share of the torque rate by which the torque of a hold falls as the motion ends; the rest is for
what the pull changes by meanwhile."""

_OTHERS = 13
"""Row of `scratch`: what pulls and damps."""

_MOMENTUM = 12
"""Row of `scratch`: M dq."""

_YIELDED = 11
"""Row of `scratch`: by how much (rad) each joint's barrier begins later than its zone."""

BRAKE_CLIP_RAD = 0.05
"""Largest position error of the brake law: it holds, it does not pull."""


class Law(NamedTuple):
    """Constants of both laws, as arrays a kernel can take. Build with `law`."""

    stiffness: FloatArray
    damping: FloatArray
    clip_minus: FloatArray
    clip_plus: FloatArray
    nullspace_stiffness: float
    nullspace_damping: float
    hold_rate: float
    posture: FloatArray
    joint_min: FloatArray
    joint_max: FloatArray
    torque_limit: FloatArray
    torque_step: FloatArray
    torque_rate: FloatArray
    joint_fast: FloatArray
    joint_back_step: float
    brake_stiffness: FloatArray
    brake_damping: FloatArray


def law(limits: ArmLimits, posture_rad: FloatArray, period_s: float) -> Law:
    """Constants for a loop of this period; `posture_rad` (7,) is the resting posture.

    Raises LimitError for another number of joints: the kernels below are written for seven.
    """
    counts = {len(limits.joints.torque_nm), len(limits.brake.stiffness_nm_rad), len(posture_rad)}
    if counts != {JOINTS}:
        raise LimitError(
            f"The impedance law is for {JOINTS} joints; joint limits, brake gains and posture have "
            f"{sorted(counts)}."
        )
    clip = np.concatenate([limits.cartesian.clip_m, limits.cartesian.clip_rad], axis=1)
    return Law(
        stiffness=np.array(limits.gains.stiffness),
        damping=np.array(limits.gains.damping),
        clip_minus=np.ascontiguousarray(clip[0]),
        clip_plus=np.ascontiguousarray(clip[1]),
        nullspace_stiffness=limits.gains.nullspace_stiffness_nm_rad,
        nullspace_damping=limits.gains.nullspace_damping_nm_s_rad,
        hold_rate=limits.gains.hold_rate_per_s,
        posture=np.array(posture_rad, dtype=np.float64),
        joint_min=np.array(limits.joints.position_min_rad),
        joint_max=np.array(limits.joints.position_max_rad),
        torque_limit=np.array(limits.joints.torque_nm),
        torque_step=np.array(limits.joints.torque_rate_nm_s) * period_s,
        torque_rate=np.array(limits.joints.torque_rate_nm_s),
        joint_fast=FAST_SHARE * np.array(limits.joints.velocity_rad_s),
        joint_back_step=JOINT_BACK_RAD_S * period_s,
        brake_stiffness=np.array(limits.brake.stiffness_nm_rad),
        brake_damping=np.array(limits.brake.damping_nm_s_rad),
    )


def scratch() -> FloatArray:
    """Work space of both laws, which pass on in it what the barriers yielded; one per loop."""
    return np.zeros((14, 7))


@kernel
def all_finite(values: FloatArray) -> bool:
    """Whether none of them is NaN or infinite."""
    for value in values.flat:  # noqa: SIM110 (a loop is what numba compiles well)
        if not np.isfinite(value):
            return False
    return True


@kernel
def _limit(constants: Law, wanted: FloatArray, previous: FloatArray, out: FloatArray) -> int:
    """Torque rate first, torque last: the torque limit holds whatever came before."""
    flags = 0
    for i in range(7):
        torque, last = wanted[i], previous[i]
        if not np.isfinite(last):
            last = 0.0
            flags |= NOT_FINITE
        if not np.isfinite(torque):  # Finite but absurd inputs can still overflow.
            torque = last
            flags |= NOT_FINITE
        step, limit = constants.torque_step[i], constants.torque_limit[i]
        if torque > last + step:
            torque = last + step
            flags |= TORQUE_RATE
        elif torque < last - step:
            torque = last - step
            flags |= TORQUE_RATE
        if torque > limit:
            torque = limit
            flags |= TORQUE
        elif torque < -limit:
            torque = -limit
            flags |= TORQUE
        out[i] = torque
    return flags


@kernel
def _fall_back(
    constants: Law, bias: FloatArray, previous: FloatArray, work: FloatArray, out: FloatArray
) -> int:
    """Without a usable state: gravity alone, at the torque rate."""
    wanted = work[8]
    usable = all_finite(bias)
    for i in range(7):
        wanted[i] = bias[i] if usable else 0.0
    return NOT_FINITE | _limit(constants, wanted, previous, out)


@kernel
def _clipped_error(
    constants: Law,
    position: FloatArray,
    quaternion: FloatArray,
    target_position: FloatArray,
    target_quaternion: FloatArray,
    error: FloatArray,
) -> int:
    flags = 0
    rotation.minus_into(target_quaternion, quaternion, error[3:])
    for i in range(6):
        e = target_position[i] - position[i] if i < 3 else error[i]
        if e > constants.clip_plus[i]:
            e = constants.clip_plus[i]
            flags |= POSITION_CLIP if i < 3 else ROTATION_CLIP
        elif e < -constants.clip_minus[i]:
            e = -constants.clip_minus[i]
            flags |= POSITION_CLIP if i < 3 else ROTATION_CLIP
        error[i] = e
    return flags


@kernel
def _solve(matrix: FloatArray, vector: FloatArray) -> None:
    """Solve A x = b in place for a positive definite (6, 6): Cholesky, A and b overwritten."""
    for i in range(6):
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = np.sqrt(value) if i == j else value / matrix[j, j]
    for i in range(6):
        for k in range(i):
            vector[i] -= matrix[i, k] * vector[k]
        vector[i] /= matrix[i, i]
    for i in range(5, -1, -1):
        for k in range(i + 1, 6):
            vector[i] -= matrix[k, i] * vector[k]
        vector[i] /= matrix[i, i]


@kernel
def _depth(constants: Law, i: int, q: float) -> float:
    """How deep joint i is in the zone before an end of its range; 0 outside, and for NaN."""
    depth = max(
        q - (constants.joint_max[i] - JOINT_ZONE_RAD), constants.joint_min[i] + JOINT_ZONE_RAD - q
    )
    return depth if depth > 0.0 else 0.0


@kernel
def yield_to(constants: Law, q: FloatArray, work: FloatArray) -> None:
    """Let every barrier begin where its joint is, deeper in the zone: none moves the arm there."""
    for i in range(7):
        work[_YIELDED, i] = _depth(constants, i, q[i])


@kernel
def _barrier(constants: Law, i: int, q: float, dq: float, yielded: float) -> float:
    """Torque (Nm) that keeps joint i inside its range: none before the zone, and at the limit twice
    what the joint's torque limit is, so that nothing the law asks for can outweigh it. All of it
    is later by what it yielded. It never pulls outward. A speed that is standstill counts as none:
    of one that is but noise only the outward half would act, and push a joint that stands.
    """
    moving = dq - min(max(dq, -STILL_RAD_S), STILL_RAD_S)
    ahead = q + moving * JOINT_AHEAD_S
    above = ahead - (constants.joint_max[i] - JOINT_ZONE_RAD + yielded)
    below = constants.joint_min[i] + JOINT_ZONE_RAD - yielded - ahead
    share = min(max(below, 0.0), JOINT_ZONE_RAD) - min(max(above, 0.0), JOINT_ZONE_RAD)
    return 2.0 * constants.torque_limit[i] * share / JOINT_ZONE_RAD


@kernel
def _share(constants: Law, pull: FloatArray, rest: FloatArray) -> float:
    """The greatest share of the pull (7,) that every joint has the torque for beside the rest."""
    share = 1.0
    for j in range(7):
        limit = constants.torque_limit[j]
        if abs(rest[j]) < limit and abs(rest[j] + pull[j]) > limit:
            room = limit - rest[j] if pull[j] > 0.0 else limit + rest[j]
            share = min(share, room / abs(pull[j]))
    return share


@kernel
def _hold_rate(
    constants: Law, dq: FloatArray, inertia: FloatArray, others: FloatArray, momentum: FloatArray
) -> float:
    """The rate (1/s) at which a hold brakes, and M dq (7,); others (7,): pull and damping.

    A torque against a momentum p that falls at the rate r reaches zero with the motion if it is
    sqrt(2 r p): the switching curve of time-optimal control of a double integrator with bounded
    jerk, which the limit on torque rate r leads to and along. With more the arm is thrown back. So
    all torques together keep to it: where pull and damping brake the hold adds less, down to
    nothing, and where the pull drives on it adds more.
    """
    rate = constants.hold_rate
    for j in range(7):
        momentum[j] = 0.0
        for k in range(7):
            momentum[j] += inertia[j, k] * dq[k]
        size = max(abs(momentum[j]), 1e-9)
        most = np.sqrt(2.0 * TAKEN_BACK * constants.torque_rate[j] * size)
        brakes = -np.sign(momentum[j]) * others[j]
        rate = min(rate, max(most - brakes, 0.0) / size)
    return rate


@kernel
def impedance_torque(
    constants: Law,
    q: FloatArray,
    dq: FloatArray,
    jacobian: FloatArray,
    position: FloatArray,
    quaternion: FloatArray,
    target_position: FloatArray,
    target_quaternion: FloatArray,
    inertia: FloatArray,
    hold: bool,
    bias: FloatArray,
    previous: FloatArray,
    work: FloatArray,
    out: FloatArray,
) -> int:
    """Write the joint torque (7,) to `out`; return the limits that acted as bits of `Limit`.

    q, dq (7,); jacobian (6, 7), translation rows first; poses tcp_in_base, quaternions w x y z;
    inertia (7, 7) of the joints, read only with `hold`: the arm is to stand still;
    bias (7,) Coriolis and gravity; previous (7,) the torque of the last tick, which may be `out`
    itself; work from `scratch`.
    Non-finite input of any kind falls back to the bias alone, at the torque rate.
    """
    if not (
        all_finite(q)
        and all_finite(dq)
        and all_finite(jacobian)
        and all_finite(position)
        and all_finite(quaternion)
        and all_finite(target_position)
        and all_finite(target_quaternion)
        and all_finite(bias)
        and (not hold or all_finite(inertia))
    ):
        return _fall_back(constants, bias, previous, work, out)
    error, damped, posture, leak = work[6, :6], work[7, :6], work[6], work[8]
    wrench, pull, others = work[9, :6], work[10], work[_OTHERS]
    flags = _clipped_error(
        constants, position, quaternion, target_position, target_quaternion, error
    )
    for i in range(6):
        speed = 0.0
        for j in range(7):
            speed += jacobian[i, j] * dq[j]
        wrench[i] = constants.stiffness[i] * error[i]
        damped[i] = constants.damping[i] * speed
    # From here on `posture` overwrites `error`; the wrench takes the projected posture torque:
    # J^T F + N^T t = J^T (F - (J J^T + r I)^-1 J t) + t
    for j in range(7):
        posture[j] = (
            constants.nullspace_stiffness * (constants.posture[j] - q[j])
            - constants.nullspace_damping * dq[j]
        )
    for i in range(6):
        leak[i] = 0.0
        for j in range(7):
            leak[i] += jacobian[i, j] * posture[j]
        for k in range(i + 1):
            value = REGULARISATION if i == k else 0.0
            for j in range(7):
                value += jacobian[i, j] * jacobian[k, j]
            work[i, k] = value
    _solve(work[:6, :6], leak[:6])
    for i in range(6):
        wrench[i] -= leak[i]
    for j in range(7):
        pull[j], damping = posture[j], 0.0
        for i in range(6):
            pull[j] += jacobian[i, j] * wrench[i]
            damping -= jacobian[i, j] * damped[i]
        others[j] = pull[j] + damping
        leak[j] = damping  # The last use of `leak` was above: it carries the wanted torque now.
    momentum = work[_MOMENTUM]
    hold_rate = _hold_rate(constants, dq, inertia, others, momentum) if hold else 0.0
    for j in range(7):
        pull[j] += leak[j] - hold_rate * momentum[j]
        torque = bias[j]
        too_fast = abs(dq[j]) - constants.joint_fast[j]
        if too_fast > 0.0:
            torque -= np.sign(dq[j]) * constants.brake_damping[j] * too_fast
            flags |= JOINT
        leak[j] = torque
    share = _share(constants, pull, leak)
    if share < 1.0:
        flags |= TORQUE
    for j in range(7):
        yielded = min(work[_YIELDED, j], _depth(constants, j, q[j]))
        if not hold:  # the arm may move
            yielded = max(yielded - constants.joint_back_step, 0.0)
        work[_YIELDED, j] = yielded
        barrier = _barrier(constants, j, q[j], dq[j], yielded)
        if barrier != 0.0:
            flags |= JOINT
        leak[j] += share * pull[j] + barrier
    return flags | _limit(constants, leak, previous, out)


@kernel
def brake_torque(
    constants: Law,
    q: FloatArray,
    dq: FloatArray,
    latched: FloatArray,
    bias: FloatArray,
    previous: FloatArray,
    work: FloatArray,
    out: FloatArray,
) -> int:
    """Stop and hold without Jacobian or reference: tau = K clip(q_l - q) - D dq + bias.

    `latched` (7,) starts as the q at which braking began and is updated in place: it follows a
    joint while that joint moves, so that the spring never pulls it back the way it came. A joint
    whose q is no number is damped only. The barriers of the impedance law yield to where it is.
    """
    if not (all_finite(dq) and all_finite(bias)):
        return BRAKE | _fall_back(constants, bias, previous, work, out)
    flags = BRAKE
    yield_to(constants, q, work)
    for i in range(7):
        if abs(dq[i]) > STILL_RAD_S or not np.isfinite(latched[i]):
            latched[i] = q[i]
        error = latched[i] - q[i]
        if not np.isfinite(error):
            error = 0.0
            flags |= NOT_FINITE
        error = min(max(error, -BRAKE_CLIP_RAD), BRAKE_CLIP_RAD)
        work[8, i] = (
            constants.brake_stiffness[i] * error - constants.brake_damping[i] * dq[i] + bias[i]
        )
    return flags | _limit(constants, work[8], previous, out)
