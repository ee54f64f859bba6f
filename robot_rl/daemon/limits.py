"""From cell and task files to the limits of the safety chain. A task can only tighten its cell."""

from dataclasses import replace

import numpy as np

from hardware.sim.panda import default_limits
from robot_rl.config import Cell, Task
from robot_rl.config.section import Triple
from robot_rl.daemon.control import ControlSettings
from robot_rl.daemon.control_home import HomePose
from robot_rl.daemon.control_window import Grid
from safety.drive import DriveSettings
from safety.limits import ArmLimits, CartesianLimits, ImpedanceGains
from safety.settings import GateSettings

UNATTENDED_S = 10.0
"""Autonomy on hardware outlives the last person by this long where the task says nothing."""

_GRIPPER_AT_HOME = {"open": 1.0, "closed": -1.0, "keep": 0.0}


def control_settings(cell: Cell, task: Task) -> ControlSettings:
    """All that control needs of the two files. Raises LimitError."""
    return ControlSettings(
        limits=arm_limits(cell, task),
        gate=gate_settings(cell, task),
        grid=Grid(
            step_ns=task.step_ns,
            delay_ns=task.action_delay_ns,
            scale=np.array(task.action.scale, dtype=np.float64),
        ),
        remote=drive_settings(cell, task, local=False),
        local=drive_settings(cell, task, local=True),
        gripper=task.action.gripper,
        speed_scale=task.interventions.speed_scale,
        resumes=task.interventions.post_intervention == "resume",
        unattended_ns=_unattended_ns(cell, task),
        home=home_pose(task),
        freeze_ns=round(cell.control.freeze_latch_s * 1e9),
    )


def _unattended_ns(cell: Cell, task: Task) -> int | None:
    seconds = task.interventions.unattended_s
    if seconds is None and not cell.simulated:
        seconds = UNATTENDED_S
    return None if seconds is None else round(seconds * 1e9)


def home_pose(task: Task) -> HomePose:
    """The task's start pose: the hand points straight down, turned about the vertical."""
    half = task.reset.home_yaw_rad / 2
    return HomePose(
        position_m=_array(task.reset.home_position_m),
        quaternion=np.array([0.0, np.cos(half), np.sin(half), 0.0]),
        gripper=_GRIPPER_AT_HOME[task.reset.gripper],
    )


def arm_limits(cell: Cell, task: Task) -> ArmLimits:
    """The arm's limits for this task. Raises LimitError when the files leave nothing to move in."""
    cartesian = _cell_cartesian(cell)
    joints = replace(
        default_limits().joints,
        torque_nm=np.array(cell.limits.torque_nm),
        torque_rate_nm_s=np.full(7, 1000.0 * cell.limits.torque_rate_nm_per_ms),
    )
    stiffness = [*cell.impedance.stiffness_n_m, *cell.impedance.rotational_stiffness_nm_rad]
    gains = replace(
        ImpedanceGains.from_ratio(stiffness, cell.impedance.damping_ratio),
        nullspace_stiffness_nm_rad=cell.impedance.nullspace_stiffness_nm_rad,
    )
    limits = ArmLimits(
        cartesian=cartesian, gains=gains, joints=joints, force_limit_n=cell.limits.static_force_n
    )
    return limits.tightened(_task_cartesian(cartesian, task))


def gate_settings(cell: Cell, task: Task) -> GateSettings:
    """How this cell runs its gate; a chunk of several steps may rest on an observation that old."""
    return GateSettings(
        period_s=1.0 / cell.control.rate_hz,
        command_life_s=cell.control.watchdog_s,
        observation_age_s=max(1.0, 10 * task.step_s),
    )


def drive_settings(cell: Cell, task: Task, *, local: bool) -> DriveSettings:
    """Full deflection is the task's full action: what a person shows the policy could have done.

    The console shapes what its devices say, so only those at the robot have a dead-band here.
    """
    scale = task.action.scale
    # An axis group that the task does not use is zeroed later; its speed only has to be positive.
    speed_m_s = (max(scale[:3]) or 0.01) / task.step_s
    angular_speed_rad_s = (max(scale[3:]) or 0.05) / task.step_s
    device = cell.teleop[0] if local and cell.teleop else None
    dead_band = 0.0 if device is None else device.dead_band
    return DriveSettings(
        speed_m_s=speed_m_s,
        angular_speed_rad_s=angular_speed_rad_s,
        dead_band=dead_band,
        hysteresis=min(0.03, dead_band),
        deflection_is_dead_man=device is not None and device.deflection_is_deadman,
    )


def _cell_cartesian(cell: Cell) -> CartesianLimits:
    limits = cell.limits
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


def _task_cartesian(cell: CartesianLimits, task: Task) -> CartesianLimits:
    """The task's profile; what it does not give stays as the cell says."""
    given = task.limits
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
