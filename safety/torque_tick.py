"""What an arm's own torque loop decides in every tick: whom it follows, when it brakes.

The thread is `hardware.torque_loop`; here is nothing but values. A reference is walked to over one
control period, and the impedance law pulls the arm there. The loop stands by the brake law as soon
as there is a `Cause`, and until a person cleared it and the cause is gone:

    tau = impedance law                  while references are fresh and the measurement is fit
    tau = brake law: damped, its joints held where they came to rest, gravity compensated
    tau = gravity alone                  while there is no measurement to brake by

All of it is at the torque rate and within the torque limits, which belong to the law. Nothing is
allocated. Before the first measurement there is no torque at all, and before the first reference
the arm is held where it stood.
"""

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safety import impedance, rotation
from safety.compiled import kernel
from safety.impedance import FloatArray, Law, all_finite
from safety.limits import ArmLimits
from safety.standstill import STILL_RAD_S

type IntArray = NDArray[np.int64]

JOINTS = impedance.JOINTS
UNIT = 1e-3
"""How far a reference's quaternion may be from unit length."""
AHEAD_NS = 50_000_000
"""A reference made this much after the tick's own time is none of this robot's clock."""


class Cause(IntEnum):
    """Why the loop brakes."""

    NONE = 0
    STOPPED = 1  # the stop word is set
    SILENT = 2  # the newest reference is older than its bound
    LOST = 3  # there is no fresh measurement
    UNSENT = 4  # the arm did not take the torque
    UNFIT = 5  # the measurement is no number, or a joint is beyond its limits
    LATE = 6  # the loop itself stood still


_NONE, _STOPPED, _SILENT = int(Cause.NONE), int(Cause.STOPPED), int(Cause.SILENT)
_LOST, _UNSENT, _UNFIT = int(Cause.LOST), int(Cause.UNSENT), int(Cause.UNFIT)
_LATE = int(Cause.LATE)

# Places in `TorqueMemory.words`.
CAUSE, TRIPS, STARTED, FOLLOWING, ARRIVED_NS, MADE_NS, VALID_UNTIL_NS, HOLD = range(8)
STANDING = 8  # the cause of this very tick beside the stop word; CAUSE is what the brake began by
_WORDS = 9


class TorqueBounds(NamedTuple):
    """What the loop holds to. Build with `bounds`."""

    law: Law  # its clips are those in force: the loop changes them
    speed: FloatArray  # (7,) rad/s
    clip_minus: FloatArray  # (6,) the cell's own: a reference can only tighten them
    clip_plus: FloatArray
    control_period_ns: int  # references come at this period
    watchdog_ns: int  # a reference may be this old
    measured_ns: int  # a measurement may be this old
    latch_ns: int  # the loop may stand still for this long


def bounds(
    limits: ArmLimits,
    posture_rad: FloatArray,
    *,
    period_ns: int,
    control_period_ns: int,
    watchdog_ns: int,
    measured_ns: int,
    latch_ns: int,
) -> TorqueBounds:
    """For a loop of this period; `posture_rad` (7,). Raises LimitError as `impedance.law` does."""
    law = impedance.law(limits, posture_rad, period_ns * 1e-9)
    return TorqueBounds(
        law=law,
        speed=np.array(limits.joints.velocity_rad_s),
        clip_minus=law.clip_minus.copy(),
        clip_plus=law.clip_plus.copy(),
        control_period_ns=control_period_ns,
        watchdog_ns=watchdog_ns,
        measured_ns=measured_ns,
        latch_ns=latch_ns,
    )


class TorqueMemory(NamedTuple):
    """What the loop keeps from tick to tick. Build with `memory`."""

    words: IntArray  # (9,)
    from_m: FloatArray
    to_m: FloatArray
    reference_m: FloatArray
    from_q: FloatArray
    to_q: FloatArray
    reference_q: FloatArray
    latched: FloatArray  # (7,) where the brake law holds the joints
    work: FloatArray


def memory() -> TorqueMemory:
    return TorqueMemory(
        words=np.zeros(_WORDS, np.int64),
        from_m=np.zeros(3),
        to_m=np.zeros(3),
        reference_m=np.zeros(3),
        from_q=np.zeros(4),
        to_q=np.zeros(4),
        reference_q=np.zeros(4),
        latched=np.zeros(JOINTS),
        work=impedance.scratch(),
    )


class SeenArm(NamedTuple):
    """A measurement: views of the values (119,) that the arm fills. Build with `seen`."""

    q: FloatArray  # (7,) rad
    dq: FloatArray  # (7,) rad/s
    position: FloatArray  # (3,) m, tcp_in_base
    quaternion: FloatArray  # (4,) w x y z
    jacobian: FloatArray  # (6, 7) of the TCP, translation rows first
    bias: FloatArray  # (7,) Nm, Coriolis and gravity: zeros where the arm adds them itself
    inertia: FloatArray  # (7, 7) kg m²


SEEN_VALUES = 2 * JOINTS + 7 + 6 * JOINTS + JOINTS + JOINTS * JOINTS


def seen(values: FloatArray) -> SeenArm:
    """`values` is (SEEN_VALUES,) and contiguous."""
    ends = np.cumsum([JOINTS, JOINTS, 3, 4, 6 * JOINTS, JOINTS])
    q, dq, position, quaternion, jacobian, bias, inertia = np.split(values, ends)
    return SeenArm(
        q=q,
        dq=dq,
        position=position,
        quaternion=quaternion,
        jacobian=jacobian.reshape(6, JOINTS),
        bias=bias,
        inertia=inertia.reshape(JOINTS, JOINTS),
    )


@kernel
def fit(
    q: FloatArray,
    dq: FloatArray,
    position_m: FloatArray,
    quaternion: FloatArray,
    rest: FloatArray,
    least_rad: FloatArray,
    most_rad: FloatArray,
    most_rad_s: FloatArray,
) -> bool:
    """Whether a measurement is finite, no joint too fast, and none moves outward beyond its range.

    rest: what else of the measurement has to be finite.
    """
    for i in range(JOINTS):
        if not (math.isfinite(q[i]) and abs(dq[i]) <= most_rad_s[i]):
            return False
        beyond = (q[i] > most_rad[i] and dq[i] > STILL_RAD_S) or (
            q[i] < least_rad[i] and dq[i] < -STILL_RAD_S
        )
        if beyond:
            return False
    return all_finite(position_m) and all_finite(quaternion) and all_finite(rest)


@kernel
def walk(
    share: float,
    from_m: FloatArray,
    to_m: FloatArray,
    from_q: FloatArray,
    to_q: FloatArray,
    reference_m: FloatArray,
    reference_q: FloatArray,
) -> None:
    """The reference at a share, below 1, of the way from one command to the next."""
    for i in range(3):
        reference_m[i] = from_m[i] + share * (to_m[i] - from_m[i])
    rotation.slerp_into(from_q, to_q, share, reference_q)


@kernel
def take(
    bounds: TorqueBounds,
    memory: TorqueMemory,
    now_ns: int,
    made_ns: int,
    valid_until_ns: int,
    hold: bool,
    position_m: FloatArray,
    quaternion: FloatArray,
    clips: FloatArray,
) -> bool:
    """Walk to this reference from now on; False where it is none, and then it feeds no watchdog.

    clips (2, 6): towards minus and plus, m and rad. A reference that is not newer than the last is
    none, nor is one of another clock.
    """
    words, length = memory.words, 0.0
    for value in quaternion:
        length += value * value
    usable = all_finite(position_m) and abs(length - 1.0) < UNIT
    for value in clips.flat:
        usable &= value >= 0.0  # NaN is not
    if not usable or made_ns <= words[MADE_NS] or made_ns > now_ns + AHEAD_NS:
        return False
    words[FOLLOWING], words[ARRIVED_NS], words[MADE_NS] = 1, now_ns, made_ns
    words[VALID_UNTIL_NS], words[HOLD] = valid_until_ns, 1 if hold else 0
    for i in range(3):
        memory.from_m[i], memory.to_m[i] = memory.reference_m[i], position_m[i]
    for i in range(4):
        memory.from_q[i], memory.to_q[i] = memory.reference_q[i], quaternion[i]
    for i in range(6):
        bounds.law.clip_minus[i] = min(bounds.clip_minus[i], clips[0, i])
        bounds.law.clip_plus[i] = min(bounds.clip_plus[i], clips[1, i])
    return True


@kernel
def _cause(
    bounds: TorqueBounds,
    words: IntArray,
    seen: SeenArm,
    now_ns: int,
    late_ns: int,
    lost: bool,
    unsent: bool,
) -> int:
    """Why the loop must brake in this tick, beside the stop word; the first that holds."""
    if lost:
        return _LOST
    if unsent:
        return _UNSENT
    if late_ns > bounds.latch_ns and words[FOLLOWING] != 0:
        return _LATE
    law = bounds.law
    whole = fit(
        seen.q,
        seen.dq,
        seen.position,
        seen.quaternion,
        seen.jacobian,
        law.joint_min,
        law.joint_max,
        bounds.speed,
    )
    if not (whole and all_finite(seen.bias) and all_finite(seen.inertia)):
        return _UNFIT
    old = now_ns - words[MADE_NS] > bounds.watchdog_ns or now_ns > words[VALID_UNTIL_NS]
    if words[FOLLOWING] != 0 and old:
        return _SILENT
    return _NONE


@kernel
def _put(source_m: FloatArray, source_q: FloatArray, memory: TorqueMemory) -> None:
    """The reference is here and walks nowhere."""
    for i in range(3):
        memory.from_m[i] = memory.to_m[i] = memory.reference_m[i] = source_m[i]
    for i in range(4):
        memory.from_q[i] = memory.to_q[i] = memory.reference_q[i] = source_q[i]


@kernel
def _finite(seen: SeenArm) -> bool:
    joints = all_finite(seen.q) and all_finite(seen.dq) and all_finite(seen.jacobian)
    pose = all_finite(seen.position) and all_finite(seen.quaternion)
    return joints and pose and all_finite(seen.bias) and all_finite(seen.inertia)


@kernel
def begin(
    bounds: TorqueBounds, memory: TorqueMemory, seen: SeenArm, lost: bool, torque: FloatArray
) -> bool:
    """Whether the arm may be given torque: from the first fresh and finite measurement on.

    There the reference is where the arm stands, and the torque what holds it there: from nothing,
    the torque rate would let it sag. A joint at the end of its range is not pushed from there.
    Until then memory.words has the cause, which is no trip, and the speeds are NaN where there is
    no fresh measurement (`lost`).
    """
    words = memory.words
    if words[STARTED] != 0:
        return True
    if lost or not _finite(seen):
        words[CAUSE] = words[STANDING] = _LOST if lost else _UNFIT
        if lost:
            seen.dq[:] = math.nan
        return False
    words[STARTED], words[CAUSE] = 1, _NONE
    _put(seen.position, seen.quaternion, memory)
    impedance.yield_to(bounds.law, seen.q, memory.work)
    torque[:] = seen.bias
    return True


@kernel
def choose(
    bounds: TorqueBounds,
    memory: TorqueMemory,
    seen: SeenArm,
    now_ns: int,
    late_ns: int,
    stop: bool,
    cleared: int,
    lost: bool,
    unsent: bool,
    torque: FloatArray,
) -> int:
    """Write the joint torque (7,) over that of the last tick; the limits that acted, as `Limit`.

    Only after `begin`. late_ns: by how much this tick is late. cleared: the number of the trip that
    a person cleared last; a later trip is not cleared by it, and a cause that outlasts a clear is a
    later trip. lost: there is no fresh measurement; the speeds are then NaN afterwards. unsent: the
    arm did not take the last torque. memory.words has the cause.
    """
    words = memory.words
    words[STANDING] = _cause(bounds, words, seen, now_ns, late_ns, lost, unsent)
    cause = _STOPPED if stop else words[STANDING]
    was_cleared = cleared == words[TRIPS]
    if words[CAUSE] == _NONE and cause != _NONE:
        words[CAUSE] = cause
        words[TRIPS] += 1
        memory.latched[:] = seen.q
    elif words[CAUSE] != _NONE and cause != _NONE and was_cleared:
        # Else the clear would wait, and end the brake minutes later, when nobody looks at the arm.
        words[CAUSE] = cause
        words[TRIPS] += 1
    elif words[CAUSE] != _NONE and cause == _NONE and was_cleared:
        words[CAUSE] = _NONE
        if words[FOLLOWING] == 0:
            _put(seen.position, seen.quaternion, memory)
        else:
            _put(memory.to_m, memory.to_q, memory)
    if words[CAUSE] != _NONE:
        if lost:
            seen.dq[:] = math.nan
        return impedance.brake_torque(
            bounds.law,
            seen.q,
            seen.dq,
            memory.latched,
            seen.bias,
            torque,
            memory.work,
            torque,
        )
    share = (now_ns - words[ARRIVED_NS]) / bounds.control_period_ns
    if words[FOLLOWING] == 0 or share >= 1.0:
        memory.reference_m[:] = memory.to_m
        memory.reference_q[:] = memory.to_q
    else:
        walk(
            share,
            memory.from_m,
            memory.to_m,
            memory.from_q,
            memory.to_q,
            memory.reference_m,
            memory.reference_q,
        )
    return impedance.impedance_torque(
        bounds.law,
        seen.q,
        seen.dq,
        seen.jacobian,
        seen.position,
        seen.quaternion,
        memory.reference_m,
        memory.reference_q,
        seen.inertia,
        words[HOLD] != 0 or words[FOLLOWING] == 0,
        seen.bias,
        torque,
        memory.work,
        torque,
    )
