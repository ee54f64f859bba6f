"""What the fuzz run measures, after every step of the engine, from the engine's own state.

Each quantity is a ratio of what was measured to what is allowed: beyond 1 is an excursion. The
gate's and the law's opinion of themselves is not asked. Only the distance of links and boxes is
`safety.collision`'s own, of capsules at the engine's joints: tests/hardware/test_gate_collision.py
compares it with the engine's meshes.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from safety.compiled import kernel
from safety.limits import ArmLimits

type Vector = NDArray[np.float64]
type Matrix = NDArray[np.float64]


class Quantity(IntEnum):
    """A row of the table of worst values; `SAID` explains each."""

    POSITION = 0
    SPEED = 1
    SPEED_PUSHED = 2
    TURN = 3
    JOINT_RANGE = 4
    JOINT_SPEED = 5
    STATIC_FORCE = 6
    STATIC_TORQUE = 7
    TORQUE = 8
    TORQUE_RATE = 9
    UNADMITTED = 10
    OUTSIDE = 11
    REFERENCE = 12
    IMPACT = 13
    ENERGY = 14
    CLEARANCE = 15
    YIELDED = 16
    RAW_FORCE = 17
    RAW_TORQUE = 18


SAID = {
    Quantity.POSITION: "TCP beyond the workspace, of its margin",
    Quantity.SPEED: "TCP speed, untouched",
    Quantity.SPEED_PUSHED: "TCP speed of an axis, touched or let go",
    Quantity.TURN: "turning speed, untouched",
    Quantity.JOINT_RANGE: "joint, of the half of its range",
    Quantity.JOINT_SPEED: "joint speed",
    Quantity.STATIC_FORCE: "contact force at rest, of an axis",
    Quantity.STATIC_TORQUE: "contact torque at rest, of an axis",
    Quantity.TORQUE: "joint torque",
    Quantity.TORQUE_RATE: "change of joint torque in a step",
    Quantity.UNADMITTED: "TCP speed without anything that may move it",
    Quantity.OUTSIDE: "TCP speed outside, other than back in",
    Quantity.REFERENCE: "acceleration of the reference",
    Quantity.IMPACT: "contact force in motion, of its bound",
    Quantity.ENERGY: "energy given to what pushes more than the arm may",
    Quantity.CLEARANCE: "links and boxes nearer than the margin, of the margin",
    Quantity.YIELDED: "joint, of the half of its range, pushed by more than it may resist",
    Quantity.RAW_FORCE: "contact force at rest with what damps and is inert, of an axis",
    Quantity.RAW_TORQUE: "contact torque at rest with what damps and is inert, of an axis",
}

TOLD = (Quantity.YIELDED, Quantity.RAW_FORCE, Quantity.RAW_TORQUE)
"""Reported, and no target: a push can be more than a joint's motor has torque for, and what creeps
presses by its damping and inertia too.
"""

REST_M_S, REST_RAD_S, REST_TICKS = 0.005, 0.01, 50
"""Contact at rest: TCP and joints slower than this for so many steps of the engine (2 ms). An elbow
that swings while the hand is caught is felt there."""

ASIDE_M_S = 0.05
"""Outside, an arm that is driven back in swings by no more than this aside or out."""

BEYOND = 1.0 + 1e-6
"""An excursion; less is rounding."""

POSITION, SPEED, SPEED_PUSHED, TURN = 0, 1, 2, 3
JOINT_RANGE, JOINT_SPEED, STATIC_FORCE, STATIC_TORQUE = 4, 5, 6, 7
TORQUE, TORQUE_RATE, UNADMITTED, OUTSIDE = 8, 9, 10, 11
YIELDED, RAW_FORCE, RAW_TORQUE = 16, 17, 18


def table() -> Matrix:
    """(quantities, 4): greatest ratio, value there, step there, steps in which it was beyond 1."""
    found = np.zeros((len(Quantity), 4))
    found[:, 0] = -np.inf
    return found


def stops_s(stated: ArmLimits) -> float:
    """How long an axis may still move inward after it has come back in: the reference brakes by
    its acceleration and jerk, and the arm follows with the time constant damping / stiffness, down
    to the speed that is looked for: v / a + a / j + D / K ln(v / `ASIDE_M_S`), of one axis.
    """
    cell, gains = stated.cartesian, stated.gains
    speed, acceleration, jerk = (
        value / np.sqrt(3.0) for value in (cell.speed_m_s, cell.acceleration_m_s2, cell.jerk_m_s3)
    )
    follows_s = float((gains.damping[:3] / gains.stiffness[:3]).max())
    brakes_s = speed / acceleration + acceleration / jerk
    return float(brakes_s + follows_s * np.log(max(speed / ASIDE_M_S, 1.0)))


@kernel
def note(worst: Matrix, row: int, value: float, allowed: float, step: int) -> None:
    """One look at one quantity."""
    ratio = value / allowed
    if not np.isfinite(ratio):
        ratio = np.inf
    if ratio > worst[row, 0]:
        worst[row, 0], worst[row, 1], worst[row, 2] = ratio, value, step
    if ratio > BEYOND:
        worst[row, 3] += 1


@kernel
def external(jacobian: Matrix, constraint: Vector, out: Vector) -> bool:
    """Wrench (6,) at the TCP of all that touches the robot, by the engine; False where nothing
    does. Exact while it touches beyond the last joint.
    """
    touched = False
    for value in constraint:
        touched |= abs(value) > 1e-6
    if not touched:
        out[:] = 0.0
        return False
    square = jacobian @ jacobian.T
    for i in range(6):
        square[i, i] += 1e-9
    out[:] = np.linalg.solve(square, jacobian @ constraint)
    return True


def less(wrench: Vector, brake: Vector) -> Vector:
    """A wrench (6,) without what a hold's brake can be of it: of this one, at its whole rate, any
    share that acts along.
    """
    sign = np.sign(wrench)
    return sign * np.maximum(np.abs(wrench) - np.maximum(sign * brake, 0.0), 0.0)


@kernel
def look(
    worst: Matrix,
    step: int,
    position_m: Vector,
    twist: Vector,
    q: Vector,
    dq: Vector,
    torque_nm: Vector,
    before_nm: Vector,
    wrench: Vector,
    raw: Vector,
    low_m: Vector,
    high_m: Vector,
    margin_m: float,
    speed_m_s: float,
    turn_rad_s: float,
    axis_m_s: Vector,
    joint_low: Vector,
    joint_high: Vector,
    joint_rad_s: Vector,
    torque_most: Vector,
    torque_step: Vector,
    most: Vector,
    rested: int,
    carried: bool,
    untouched: bool,
    struck: bool,
    unadmitted: bool,
    elsewhere: bool,
    came_in: Vector,
    outside: bool,
) -> int:
    """All quantities of one step; for how many steps the arm has rested.

    carried: pushed by more than K c, and not yet back. untouched: nothing has pushed or touched the
    robot for half a second. struck: something touches it, or did. unadmitted: for half a second
    nothing may have moved it. elsewhere: what touches it touches a link before the hand, or a joint
    is at the end of its range. came_in (3,): the side of an axis that was outside just now.
    outside: it has been outside for half a second. most (6,): of the wrench, at rest.
    raw (6,): the wrench with what damping and inertia add to it.
    """
    speed, turn = 0.0, 0.0
    for i in range(3):
        speed += twist[i] * twist[i]
        turn += twist[3 + i] * twist[3 + i]
    speed, turn = np.sqrt(speed), np.sqrt(turn)
    if not carried:
        for i in range(3):
            beyond = max(position_m[i] - high_m[i], low_m[i] - position_m[i])
            note(worst, POSITION, beyond, margin_m, step)
    if untouched:
        note(worst, SPEED, speed, speed_m_s, step)
        note(worst, TURN, turn, turn_rad_s, step)
    fastest = 0.0
    if not carried:
        for i in range(3):
            note(worst, SPEED_PUSHED, abs(twist[i]), axis_m_s[i], step)
    for j in range(len(q)):
        middle, half = 0.5 * (joint_high[j] + joint_low[j]), 0.5 * (joint_high[j] - joint_low[j])
        note(worst, YIELDED if carried else JOINT_RANGE, abs(q[j] - middle), half, step)
        fastest = max(fastest, abs(dq[j]))
        if not (carried or struck):
            note(worst, JOINT_SPEED, abs(dq[j]), joint_rad_s[j], step)
        note(worst, TORQUE, abs(torque_nm[j]), torque_most[j], step)
        note(worst, TORQUE_RATE, abs(torque_nm[j] - before_nm[j]), torque_step[j], step)
        before_nm[j] = torque_nm[j]
    if unadmitted:
        note(worst, UNADMITTED, speed, REST_M_S, step)
    if outside:
        for i in range(3):
            out = came_in[i]
            if position_m[i] > high_m[i]:
                out = 1.0
            elif position_m[i] < low_m[i]:
                out = -1.0
            along = abs(twist[i]) if out == 0.0 else max(out * twist[i], 0.0)
            note(worst, OUTSIDE, along, ASIDE_M_S, step)
    rested = rested + 1 if speed < REST_M_S and fastest < REST_RAD_S else 0
    if rested > REST_TICKS and not elsewhere:
        for i in range(3):
            note(worst, STATIC_FORCE, abs(wrench[i]), most[i], step)
            note(worst, STATIC_TORQUE, abs(wrench[3 + i]), most[3 + i], step)
            note(worst, RAW_FORCE, abs(raw[i]), most[i], step)
            note(worst, RAW_TORQUE, abs(raw[3 + i]), most[3 + i], step)
    return rested
