"""What the gate is told of the arm at every tick."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """TCP pose as measured, tcp_in_base: position (3,), quaternion (4,) w x y z.

    Joints (n,) and Jacobian (6, n) of an arm whose limits say so (`safety.limits.JointLimits`).
    """

    t_robot_ns: int
    position_m: FloatArray
    quaternion: FloatArray
    q_rad: FloatArray | None = None
    jacobian: FloatArray | None = None
