"""Between the gate's reference and the environment's action, and back. Plain functions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hardware.gymnasium_env.settings import ActionMapping, GymnasiumSettings, StateMapping
from safety import rotation

type Vector = NDArray[np.float64]

TOOL_DOWN = (0.0, 1.0, 0.0, 0.0)
_SIZES = {"tcp_position_m": 3, "tcp_quaternion": 4, "tcp_twist": 6, "wrench": 6, "gripper": 1}
_ALMOST_UNIT = 0.01


class BadValue(ValueError):
    """What the environment gave is not what the cell file says: one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """Of the TCP in the base frame: position (3,) m, quaternion (4,) w x y z."""

    position_m: Vector
    quaternion: Vector

    def moved(self, by: Vector) -> Self:
        """(6,) m and rad further, in the base frame."""
        turned = rotation.plus(self.quaternion, by[3:])
        return replace(self, position_m=self.position_m + by[:3], quaternion=turned)

    def beside(self, other: Self) -> Self:
        """q and −q are one orientation: the one on the same side."""
        same = self.quaternion @ other.quaternion >= 0.0
        return self if same else replace(self, quaternion=-self.quaternion)


def change(start: Pose, end: Pose) -> Vector:
    """(6,) m and rad from one pose to another."""
    turn = rotation.minus(end.quaternion, start.quaternion)
    return np.concatenate([end.position_m - start.position_m, turn])


def action(mapping: ActionMapping, changes: Vector, gripper: float) -> Vector:
    """(size,) action of changes of the pose (6,) m and rad, or of the joints; gripper: what its
    column holds.
    """
    result = np.zeros(mapping.size)
    for part, by in zip(mapping.joints or mapping.pose, changes.tolist(), strict=True):
        if part is not None:
            result[part.column] = by / part.unit
    if mapping.gripper is not None:
        result[mapping.gripper.column] = gripper
    return result


def asked(mapping: ActionMapping, given: Vector) -> Vector:
    """(6,) m and rad that an action asks for: less than the reference where it was cut off. Where
    joints are moved, the arm's model says where they are, and this is nothing.
    """
    return np.array(
        [0.0 if part is None else given[part.column] * part.unit for part in mapping.pose]
    )


def gripper_value(mapping: ActionMapping, order: float, before: float) -> float:
    """What the gripper's column holds; order −1 close, 0 stay, +1 open, `before` the last value."""
    column = mapping.gripper
    if column is None:
        return 0.0
    if order:
        return column.open if order > 0.0 else column.close
    return before if column.stay is None else column.stay


def opening_m(mapping: StateMapping, value: float) -> float:
    """Between the fingers, from what the entry of the gripper holds."""
    share = (value - mapping.gripper_closed) / (mapping.gripper_open - mapping.gripper_closed)
    return float(np.clip(share, 0.0, 1.0)) * mapping.max_opening_m


def pose(mapping: StateMapping, values: Mapping[str, Vector], before: Pose, moved: Vector) -> Pose:
    """Of the TCP as the environment gives it; what it does not give is `moved` (6,) on from
    `before`. Raises BadValue.
    """
    there = before.moved(moved)
    if "tcp_position_m" in values:
        there = replace(there, position_m=values["tcp_position_m"])
    if "tcp_quaternion" in values:
        there = replace(there, quaternion=_quaternion(mapping, values["tcp_quaternion"]))
    return there


def _quaternion(mapping: StateMapping, values: Vector) -> Vector:
    wxyz = np.roll(values, 1) if mapping.quaternion_order == "xyzw" else values
    if abs(float(np.linalg.norm(wxyz)) - 1.0) > _ALMOST_UNIT:
        raise BadValue(f"tcp_quaternion is no unit quaternion: {values.tolist()}")
    return rotation.normalized(np.array(wxyz))


def check(settings: GymnasiumSettings, values: Mapping[str, Vector]) -> None:
    """That every value has the size that the settings give it. Raises BadValue."""
    state = settings.state
    for name, found in values.items():
        wanted = (_SIZES.get(name, 1),)
        if name in ("q_rad", "dq_rad_s"):
            wanted = (state.joints,)
        elif name.startswith("object "):
            wanted = (3, 7)
        if len(found) not in wanted:
            raise BadValue(
                f"{name} ({settings.values[name]}) has {len(found)} values, "
                f"{' or '.join(map(str, wanted))} needed"
            )
