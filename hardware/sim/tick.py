"""What a tick of the simulated arm computes beside MuJoCo, compiled: a few calls in place of sixty.

The arm's process ticks 500 times a second; small arrays in plain numpy cost it as much as the
physics. Everything is written into the caller's arrays.
"""

import numpy as np
from numpy.typing import NDArray

from hardware.sim import gripper, wrench
from hardware.sim.panda import JOINTS
from safety import impedance
from safety.compiled import kernel

type Vector = NDArray[np.float64]
type Matrix = NDArray[np.float64]


@kernel
def actuate(
    torque_nm: Vector,
    previous: Vector,
    ctrl: Vector,
    fingers: int,
    left_m: Vector,
    right_m: Vector,
    state: Vector,
    dt_s: float,
) -> None:
    """Give the engine the arm's torque and the gripper's next set-point."""
    for i in range(JOINTS):
        ctrl[i] = previous[i] = torque_nm[i]
    ctrl[fingers] = gripper.step(state, left_m, right_m, dt_s)


@kernel
def observe(
    full: Matrix,
    turned: Vector,
    dq: Vector,
    jacobian: Matrix,
    quaternion: Vector,
    twist: Vector,
) -> None:
    """Take over the engine's Jacobian (6, nv) and TCP orientation `turned` (4,)."""
    same = 0.0
    for i in range(4):
        same += quaternion[i] * turned[i]
    sign = -1.0 if same < 0.0 else 1.0  # q and −q are one orientation: stay on one side
    for i in range(4):
        quaternion[i] = sign * turned[i]
    for i in range(6):
        speed = 0.0
        for j in range(JOINTS):
            jacobian[i, j] = full[i, j]
            speed += full[i, j] * dq[j]
        twist[i] = speed


@kernel
def choose_torque(
    law: impedance.Law,
    constraint: Vector,
    mix: float,
    force: Vector,
    full: Matrix,
    turned: Vector,
    q: Vector,
    dq: Vector,
    jacobian: Matrix,
    position_m: Vector,
    quaternion: Vector,
    twist: Vector,
    target_m: Vector,
    target_q: Vector,
    inertia: Matrix,
    hold: bool,
    bias: Vector,
    previous: Vector,
    work: Matrix,
    out: Vector,
) -> int:
    """After a step of the engine: wrench estimate, measurement, and the impedance law's torque."""
    # Contacts of this step acted at the pose of the Jacobian before it.
    wrench.estimate(jacobian, constraint, mix, force)
    observe(full, turned, dq, jacobian, quaternion, twist)
    return impedance.impedance_torque(
        law,
        q,
        dq,
        jacobian,
        position_m,
        quaternion,
        target_m,
        target_q,
        inertia[:JOINTS, :JOINTS],
        hold,
        bias,
        previous,
        work,
        out,
    )


@kernel
def choose_braking_torque(
    law: impedance.Law,
    constraint: Vector,
    mix: float,
    force: Vector,
    full: Matrix,
    turned: Vector,
    q: Vector,
    dq: Vector,
    jacobian: Matrix,
    quaternion: Vector,
    twist: Vector,
    latched: Vector,
    bias: Vector,
    previous: Vector,
    work: Matrix,
    out: Vector,
) -> int:
    """The same with the brake law."""
    wrench.estimate(jacobian, constraint, mix, force)
    observe(full, turned, dq, jacobian, quaternion, twist)
    return impedance.brake_torque(law, q, dq, latched, bias, previous, work, out)
