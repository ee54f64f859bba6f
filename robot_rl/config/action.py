"""The action space of a task: named, scaled, and as long as its columns say."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from robot_rl.config.section import ArmName, NotNegative, Section

_POSE = ("dx", "dy", "dz", "rx", "ry", "rz")
_GRIPPER = "gripper"

type Scales = Annotated[tuple[NotNegative, ...], Field(min_length=3, max_length=3)]


class ActionSpace(Section):
    """What one normalised action of a step means; a column with scale 0 is not used.

    `tcp_delta`: per arm [dx, dy, dz, rx, ry, rz, gripper], pose deltas in `tcp_in_base`; the
    gripper's column is there even where it is not used, as it always was in recorded data.
    `joint_delta`: per arm one column for each joint, then the gripper's if it is used.
    Several arms concatenate, in the order of `arms`, with the arm's name before each column's.
    """

    space: Literal["tcp_delta", "joint_delta"] = "tcp_delta"
    arms: tuple[ArmName, ...] = ()  # of the cell; none: its only one, and names have no prefix
    translation_m: Scales = (0, 0, 0)
    rotation_rad: Scales = (0, 0, 0)
    joint_rad: Annotated[tuple[NotNegative, ...], Field(max_length=16)] = ()
    gripper: bool = True

    @model_validator(mode="after")
    def _fits_its_space(self) -> Self:
        given = self.model_fields_set
        if self.space == "tcp_delta" and self.joint_rad:
            raise ValueError(
                'joint_rad belongs to the space "joint_delta": take it out, or set '
                'space = "joint_delta"'
            )
        if self.space == "joint_delta" and given & {"translation_m", "rotation_rad"}:
            raise ValueError(
                'translation_m and rotation_rad belong to the space "tcp_delta": give joint_rad, '
                "one value for each joint, in their place"
            )
        if not self.active_axes:
            scales = "joint_rad" if self.space == "joint_delta" else "translation_m or rotation_rad"
            raise ValueError(f"nothing can move: give {scales} at least one value above 0")
        if len(set(self.arms)) != len(self.arms):
            raise ValueError(f"arms names one arm twice: {', '.join(self.arms)}")
        return self

    @property
    def scale(self) -> tuple[float, ...]:
        """Per continuous column of one arm: metres or radians per normalised unit and step."""
        if self.space == "joint_delta":
            return self.joint_rad
        return (*self.translation_m, *self.rotation_rad)

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Names of one arm's columns."""
        if self.space == "tcp_delta":
            return (*_POSE, _GRIPPER)
        joints = tuple(f"dq{joint}" for joint in range(1, len(self.joint_rad) + 1))
        return (*joints, _GRIPPER) if self.gripper else joints

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of an action, in order."""
        if not self.arms:
            return self.arm_names
        return tuple(f"{arm}_{name}" for arm in self.arms for name in self.arm_names)

    @property
    def size(self) -> int:
        """Columns of an action."""
        return len(self.names)

    @property
    def gripper_columns(self) -> tuple[int, ...]:
        """Columns that hold a gripper's order: −1 close, 0 stay, +1 open."""
        of_arm, width = self.arm_names, len(self.arm_names)
        if _GRIPPER not in of_arm:
            return ()
        return tuple(range(width - 1, self.size, width))

    @property
    def active_axes(self) -> tuple[int, ...]:
        """The continuous columns in use."""
        width = len(self.arm_names)
        used = [column for column, scale in enumerate(self.scale) if scale > 0]
        arms = range(max(len(self.arms), 1))
        return tuple(arm * width + column for arm in arms for column in used)
