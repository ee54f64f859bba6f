"""External wrench at the TCP from the joint torques that contacts cause."""

import numpy as np
from numpy.typing import NDArray

from safety.compiled import kernel

type Vector = NDArray[np.float64]

_REGULARISATION = 1e-9


@kernel
def estimate(
    jacobian: NDArray[np.float64], torque: NDArray[np.float64], mix: float, out: NDArray[np.float64]
) -> None:
    """Least squares F of Jᵀ F = τ, low-passed into `out` (6,): force N, torque Nm, on the robot.

    jacobian (6, 7) translation first; torque (7,) of the constraints; mix in 0 … 1, the share of
    the new value. Exact while everything that touches the robot touches it beyond the last joint.
    """
    square = jacobian @ jacobian.T
    for i in range(6):
        square[i, i] += _REGULARISATION
    wrench = np.linalg.solve(square, jacobian @ torque)
    for i in range(6):
        out[i] += mix * (wrench[i] - out[i])
