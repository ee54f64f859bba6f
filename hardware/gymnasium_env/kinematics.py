"""Joints and TCP of an environment that is moved by its joints: a model of its arm in MuJoCo."""

import importlib.util
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from hardware.gymnasium_env.mapping import BadValue, Pose, Vector
from hardware.gymnasium_env.settings import Kinematics
from safety import rotation

DAMPING = 1e-4
"""Of the damped least squares (Nakamura & Hanafusa 1986): joints stay calm near a singularity."""
ITERATIONS = 10


class JointModel:
    """Raises BadValue when the model is not there or is not of this arm."""

    def __init__(self, settings: Kinematics) -> None:
        path = _find(settings.model)
        try:
            self._model: Any = mujoco.MjModel.from_xml_path(str(path))
            self._site: int = self._model.site(settings.site).id
            joints = [self._model.joint(name) for name in settings.joints]
        except (ValueError, KeyError) as error:
            raise BadValue(f"kinematics: {path.name}: {str(error).splitlines()[0]}") from error
        self._q = [int(joint.qposadr[0]) for joint in joints]
        self._columns = [int(joint.dofadr[0]) for joint in joints]
        self._data: Any = mujoco.MjData(self._model)
        self._jacobian = np.zeros((6, self._model.nv))

    def pose(self, q_rad: Vector) -> Pose:
        """Of the TCP with the joints (n,) there."""
        data, quaternion = self._data, np.zeros(4)
        data.qpos[self._q] = q_rad
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mju_mat2Quat(quaternion, data.site_xmat[self._site])
        return Pose(position_m=np.array(data.site_xpos[self._site]), quaternion=quaternion)

    def change(self, q_rad: Vector, moved: Vector) -> Vector:
        """(n,) rad that move the TCP by (6,) m and rad from where the joints are now."""
        now = self.pose(q_rad)
        goal_m = now.position_m + moved[:3]
        goal = rotation.plus(now.quaternion, moved[3:])
        q, jacobian = np.array(q_rad), self._jacobian
        for _ in range(ITERATIONS):
            at = self.pose(q)
            error = np.concatenate([goal_m - at.position_m, rotation.minus(goal, at.quaternion)])
            mujoco.mj_jacSite(self._model, self._data, jacobian[:3], jacobian[3:], self._site)
            of_joints = jacobian[:, self._columns]
            square = of_joints @ of_joints.T + DAMPING * np.eye(6)
            q = q + of_joints.T @ np.linalg.solve(square, error)
        return q - q_rad


def _find(model: str) -> Path:
    package, colon, inside = model.partition(":")
    path = Path(model)
    if colon:
        found = importlib.util.find_spec(package)
        folders = (found.submodule_search_locations or ()) if found else ()
        path = next((Path(folder) / inside for folder in folders), path)
    if not path.is_file():
        raise BadValue(f"kinematics.model = {model!r}: there is no such file")
    return path
