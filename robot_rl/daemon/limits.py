"""From cell and task files to the limits of the arm. A task can only tighten its cell."""

from dataclasses import replace
from typing import cast

import numpy as np

from hardware.arm import ArmDescription
from robot_rl.config import Cell, Task
from robot_rl.config.cell_arm import CellArm, Limits
from robot_rl.config.section import Triple
from robot_rl.config.task import TaskLimits
from safety.limits import ArmLimits, CartesianLimits, JointLimits


def arm_limits(cell: Cell, task: Task, name: str) -> ArmLimits:
    """An arm's limits for this task. Raises LimitError when the files leave nothing to move in."""
    limits = cell_limits(cell.arms[name])
    return limits.tightened(_task_cartesian(limits.cartesian, task.arms[name].limits))


def cell_limits(arm: CellArm) -> ArmLimits:
    """What no task may exceed. Raises LimitError."""
    described = describe(arm)
    joints = JointLimits(
        position_min_rad=_array(described.position_min_rad),
        position_max_rad=_array(described.position_max_rad),
        velocity_rad_s=_array(described.velocity_rad_s),
        torque_nm=_array(arm.limits.torque_nm),
        torque_rate_nm_s=np.full(described.joints, 1000.0 * arm.limits.torque_rate_nm_per_ms),
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
    )


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


def _array(values: Triple) -> np.ndarray:
    return np.array(values, dtype=np.float64)
