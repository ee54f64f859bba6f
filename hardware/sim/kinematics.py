"""Inverse kinematics of the simulated arm, for placing it at the start of an episode."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from hardware.sim.panda import JOINTS
from hardware.sim.scene import TCP_SITE
from safety import rotation

type Vector = NDArray[np.float64]

HOME_RAD = np.array([0.0, 0.05, 0.0, -2.35, 0.0, 2.40, 0.785])  # elbow up, hand down
_TOLERANCE = 1e-6
_ITERATIONS = 100


def downward(yaw_rad: float) -> Vector:
    """Quaternion (4,) wxyz of a hand pointing straight down, turned by `yaw_rad` about z."""
    return np.array([0.0, np.cos(yaw_rad / 2), np.sin(yaw_rad / 2), 0.0])


def solve(model: mujoco.MjModel, position_m: Vector, quaternion: Vector) -> Vector:
    """Joint angles (7,) rad that put the TCP at a pose; damped least squares from `HOME_RAD`.

    Raises ValueError when the pose cannot be reached.
    """
    data = mujoco.MjData(model)
    site = model.site(TCP_SITE).id
    data.qpos[:JOINTS] = HOME_RAD
    jacobian = np.zeros((6, model.nv))
    low, high = model.jnt_range[:JOINTS].T
    measured = np.zeros(4)
    for _ in range(_ITERATIONS):
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mju_mat2Quat(measured, data.site_xmat[site])
        error = np.concatenate(
            [position_m - data.site_xpos[site], rotation.minus(quaternion, measured)]
        )
        if float(np.linalg.norm(error)) < _TOLERANCE:
            return np.array(data.qpos[:JOINTS])
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site)
        arm = jacobian[:, :JOINTS]
        stride = arm.T @ np.linalg.solve(arm @ arm.T + 1e-4 * np.eye(6), error)
        data.qpos[:JOINTS] = np.clip(data.qpos[:JOINTS] + stride, low, high)
    raise ValueError(
        f"the arm cannot reach {np.round(position_m, 3).tolist()} m with the hand down"
    )
