"""From cell and task files to the limits of the arm. A task can only tighten its cell."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from hardware.arm import ArmDescription
from robot_rl.config import Cell, Task
from robot_rl.config.cell_arm import CellArm, Limits
from robot_rl.config.fit import active_profiles
from robot_rl.config.limit_profile import ChosenBy, ProfileSection
from robot_rl.config.section import Triple
from robot_rl.config.task import TaskLimits
from safety.limits import ArmLimits, CartesianLimits, JointLimits
from safety.profile import LimitProfile


def arm_limits(cell: Cell, task: Task, name: str) -> ArmLimits:
    """An arm's limits for this task. Raises LimitError when the files leave nothing to move in."""
    limits = cell_limits(cell.arms[name])
    return limits.tightened(_task_cartesian(limits.cartesian, task.arms[name].limits))


def cell_limits(arm: CellArm) -> ArmLimits:
    """What no task may exceed. Raises LimitError."""
    described = describe(arm)
    acceleration = described.acceleration_rad_s2
    joints = JointLimits(
        position_min_rad=_array(described.position_min_rad),
        position_max_rad=_array(described.position_max_rad),
        velocity_rad_s=_array(described.velocity_rad_s),
        torque_nm=_array(arm.limits.torque_nm),
        torque_rate_nm_s=np.full(described.joints, 1000.0 * arm.limits.torque_rate_nm_per_ms),
        acceleration_rad_s2=None if acceleration is None else _array(acceleration),
    )
    stated = arm.stated
    return ArmLimits(
        cartesian=_cell_cartesian(arm.limits),
        gains=arm.gains(),
        joints=joints,
        force_limit_n=stated.force_n,
        torque_limit_nm=stated.torque_nm,
        free_speed_limit_m_s=stated.free_speed_m_s,
        free_rotation_limit_rad_s=stated.free_rotation_rad_s,
        collision=arm.collision_limits(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectableProfile:
    """A limit profile of the cell under a task."""

    name: str
    text: str  # on its button
    chosen_by: ChosenBy | None  # by the task, for as long as it runs; None: a button may
    speed_m_s: float | None  # of the fastest arm under it; None: it states none
    force_n: float | None  # at rest, of the strongest axis under it; None: it states no clip

    @property
    def effect(self) -> str:
        """What it tightens, for the record."""
        speed = f"speed at most {self.speed_m_s:g} m/s" if self.speed_m_s is not None else ""
        force = f"force at rest at most {self.force_n:g} N" if self.force_n is not None else ""
        return ", ".join(part for part in (speed, force) if part) or "other limits are tighter"


def selectable_profiles(cell: Cell, task: Task) -> tuple[SelectableProfile, ...]:
    """The cell's limit profiles, in its order, and what they make of this task's limits."""
    active, before = active_profiles(cell, task), {n: arm_limits(cell, task, n) for n in cell.arms}
    found: list[SelectableProfile] = []
    for profile in cell.limit_profiles:
        under = [
            limits.tightened(profiles_of(cell.arms[name])[profile.name].apply(limits.cartesian))
            for name, limits in before.items()
        ]
        speed_m_s = max(limits.cartesian.speed_m_s for limits in under)
        force_n = max(float(limits.bounds.force_n.max()) for limits in under)
        stated = [cell.arms[name].limits.profiles[profile.name] for name in before]
        clips = any(each.clip_negative_m or each.clip_positive_m for each in stated)
        found.append(
            SelectableProfile(
                name=profile.name,
                text=profile.text,
                chosen_by=active.get(profile.name),
                speed_m_s=speed_m_s if any(each.speed_m_s for each in stated) else None,
                force_n=force_n if clips else None,
            )
        )
    return tuple(found)


def profiles_of(arm: CellArm) -> Mapping[str, LimitProfile]:
    """Of one arm, by name."""
    return {name: _profile(arm.limits, given) for name, given in arm.limits.profiles.items()}


def describe(arm: CellArm) -> ArmDescription:
    """What the driver says of an arm."""
    return cast(ArmDescription, arm.described)


def _cell_cartesian(limits: Limits) -> CartesianLimits:
    return CartesianLimits(
        box_min_m=_array(limits.workspace_min_m),
        box_max_m=_array(limits.workspace_max_m),
        margin_m=limits.margin_m,
        speed_m_s=limits.speed_m_s,
        acceleration_m_s2=limits.acceleration_m_s2,
        jerk_m_s3=limits.jerk_m_s3,
        angular_speed_rad_s=limits.rotation_speed_rad_s,
        angular_acceleration_rad_s2=limits.rotation_acceleration_rad_s2,
        angular_jerk_rad_s3=limits.rotation_jerk_rad_s3,
        clip_m=np.array([limits.clip_negative_m, limits.clip_positive_m]),
        clip_rad=np.array([limits.clip_rad, limits.clip_rad]),
    )


def _task_cartesian(cell: CartesianLimits, given: TaskLimits) -> CartesianLimits:
    """The task's profile; what it does not give stays as the cell says."""
    clip_m = cell.clip_m.copy()
    if given.clip_negative_m is not None:
        clip_m[0] = given.clip_negative_m
    if given.clip_positive_m is not None:
        clip_m[1] = given.clip_positive_m
    return replace(
        cell,
        box_min_m=cell.box_min_m
        if given.workspace_min_m is None
        else _array(given.workspace_min_m),
        box_max_m=cell.box_max_m
        if given.workspace_max_m is None
        else _array(given.workspace_max_m),
        speed_m_s=given.speed_m_s or cell.speed_m_s,
        clip_m=clip_m,
        clip_rad=cell.clip_rad if given.clip_rad is None else np.array([given.clip_rad] * 2),
    )


def _profile(cell: Limits, given: ProfileSection) -> LimitProfile:
    clips = (given.clip_negative_m, given.clip_positive_m)
    both = (clips[0] or cell.clip_negative_m, clips[1] or cell.clip_positive_m)
    low, high = given.workspace_min_m, given.workspace_max_m
    return LimitProfile(
        box_min_m=None if low is None else _array(low),
        box_max_m=None if high is None else _array(high),
        speed_m_s=given.speed_m_s,
        acceleration_m_s2=given.acceleration_m_s2,
        jerk_m_s3=given.jerk_m_s3,
        angular_speed_rad_s=given.rotation_speed_rad_s,
        angular_acceleration_rad_s2=given.rotation_acceleration_rad_s2,
        angular_jerk_rad_s3=given.rotation_jerk_rad_s3,
        clip_m=np.array(both) if any(clips) else None,
        clip_rad=None if given.clip_rad is None else np.array([given.clip_rad] * 2),
    )


def _array(values: Triple) -> np.ndarray:
    return np.array(values, dtype=np.float64)
