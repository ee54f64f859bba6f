"""What control needs of cell and task, in the types of the safety chain."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from robot_rl.config import Cell, Task
from robot_rl.config.rewind import RewindSection
from robot_rl.config.task import ArmStart
from robot_rl.daemon.control.grid import ArmColumns, Grid
from robot_rl.daemon.control.home import HomePose
from robot_rl.daemon.limits import (
    SelectableProfile,
    arm_limits,
    profiles_of,
    selectable_profiles,
)
from robot_rl.schema.transition import GRIPPER_AT_START
from safety.drive import DriveSettings
from safety.limits import ArmLimits
from safety.profile import LimitProfile
from safety.settings import GateSettings

UNATTENDED_S = 10.0
"""Autonomy on hardware outlives the last person by this long where the task says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlledArm:
    """What control needs to know of one arm."""

    name: str
    limits: ArmLimits
    home: HomePose
    profiles: Mapping[str, LimitProfile]  # of the cell, all of which may tighten `limits`
    columns: ArmColumns | None  # of the task's action; None: the arm only holds, and goes home
    unsafe_force_n: float | None = None  # measured contact force that is marked as unsafe


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """What control needs of cell and task (`control_settings` makes it)."""

    arms: tuple[ControlledArm, ...]  # of the cell, in its order
    gate: GateSettings
    grid: Grid
    remote: DriveSettings
    local: DriveSettings
    gripper: bool
    speed_scale: float
    resumes: bool
    unattended_ns: int | None  # autonomy pauses after that long without a person; None: never
    local_arm: int  # which one the device at the robot drives
    freeze_ns: int
    rewind: RewindSection
    profiles: tuple[SelectableProfile, ...] = ()


def control_settings(cell: Cell, task: Task) -> ControlSettings:
    """All that control needs of the two files. Raises LimitError."""
    grid = Grid.of(task)
    columns = dict(zip(task.acting_arms, grid.arms, strict=True))
    return ControlSettings(
        arms=tuple(
            ControlledArm(
                name=name,
                limits=arm_limits(cell, task, name),
                profiles=profiles_of(cell.arms[name]),
                home=home_pose(task.arms[name]),
                columns=columns.get(name),
                unsafe_force_n=None if task.risk is None else task.risk.force_n,
            )
            for name in cell.arms
        ),
        gate=gate_settings(cell, task),
        grid=grid,
        remote=drive_settings(cell, task, local=False),
        local=drive_settings(cell, task, local=True),
        gripper=task.action.gripper,
        speed_scale=task.interventions.speed_scale,
        resumes=task.interventions.post_intervention == "resume",
        unattended_ns=_unattended_ns(cell, task),
        local_arm=_local_arm(cell, task),
        freeze_ns=round(cell.control.freeze_latch_s * 1e9),
        rewind=task.rewind,
        profiles=selectable_profiles(cell, task),
    )


def _unattended_ns(cell: Cell, task: Task) -> int | None:
    seconds = task.interventions.unattended_s
    if seconds is None and not cell.simulated:
        seconds = UNATTENDED_S
    return None if seconds is None else round(seconds * 1e9)


def _local_arm(cell: Cell, task: Task) -> int:
    """The first device's arm; without a word in the cell file, the first that acts."""
    chosen = cell.teleop[0].arm if cell.teleop else None
    return list(cell.arms).index(chosen or task.acting_arms[0])


def home_pose(start: ArmStart) -> HomePose:
    """A task's start pose: the hand points straight down, turned about the vertical."""
    half = start.home_yaw_rad / 2
    return HomePose(
        position_m=np.array(start.home_position_m, dtype=np.float64),
        quaternion=np.array([0.0, np.cos(half), np.sin(half), 0.0]),
        gripper=GRIPPER_AT_START[start.gripper],
    )


def gate_settings(cell: Cell, task: Task) -> GateSettings:
    """How this cell runs its gate."""
    return GateSettings(
        period_s=1.0 / cell.control.rate_hz,
        command_life_s=cell.control.watchdog_s,
        observation_age_s=task.observation_age_s,
        risk_required=task.risk is not None and task.risk.required,
        risk_threshold=None if task.risk is None else task.risk.threshold,
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
