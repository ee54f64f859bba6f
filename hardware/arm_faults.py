"""Why an arm's own loop must stop, and why it cannot go on: the sentences, for whoever runs one."""

import numpy as np
from numpy.typing import NDArray

from safety import rotation
from safety.limits import JointLimits
from safety.standstill import STILL_RAD_S

type Vector = NDArray[np.float64]

CLEAR_DISTANCE_M = (
    0.02  # clearing a fault must not start motion: the reference has to be at the arm
)
CLEAR_ANGLE_RAD = 0.2


def state_fault(limits: JointLimits, q: Vector, dq: Vector, *rest: Vector) -> str:
    """Why the arm must stop itself: a state that is no number, or a joint beyond its limits.

    Nothing where the state is fit (`safety.torque_tick.fit`).
    """
    if not all(np.isfinite(values).all() for values in (q, dq, *rest)):
        # Of such a state the law makes gravity's torque alone, and the arm would float.
        return "its measured state is not finite; find what broke it, then clear"
    return joint_fault(limits, q, dq)


def joint_fault(limits: JointLimits, q: Vector, dq: Vector) -> str:
    """What joint is beyond its limits, as a sentence, or nothing; a joint may come back in."""
    fast = np.abs(dq) > limits.velocity_rad_s
    if fast.any():
        joint = int(np.argmax(fast))
        return (
            f"joint {joint + 1} turned at {abs(dq[joint]):.2f} rad/s and "
            f"{limits.velocity_rad_s[joint]:.2f} is allowed; see what moved it, then clear"
        )
    outward = ((q > limits.position_max_rad) & (dq > STILL_RAD_S)) | (
        (q < limits.position_min_rad) & (dq < -STILL_RAD_S)
    )
    if outward.any():
        joint = int(np.argmax(outward))
        return (
            f"joint {joint + 1} is at {q[joint]:.3f} rad, beyond its range of "
            f"{limits.position_min_rad[joint]:.3f} to {limits.position_max_rad[joint]:.3f}; "
            "clear, then drive it back"
        )
    return ""


def away_from_reference(
    position_m: Vector, quaternion: Vector, target_m: Vector, target_q: Vector
) -> str:
    """Why the arm cannot leave its brake: the reference is not where it stands."""
    distance = float(np.linalg.norm(target_m - position_m))
    angle = float(np.linalg.norm(rotation.minus(target_q, quaternion)))
    if distance <= CLEAR_DISTANCE_M and angle <= CLEAR_ANGLE_RAD:
        return ""
    return (
        f"the reference is {distance * 1e3:.0f} mm and "
        f"{np.degrees(angle):.0f}° from the arm, {CLEAR_DISTANCE_M * 1e3:.0f} mm and "
        f"{np.degrees(CLEAR_ANGLE_RAD):.0f}° are allowed; hold first"
    )
