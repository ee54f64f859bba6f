"""A cell: a workplace with its robot, limits, cameras and input devices."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from robot_rl.config import drivers
from robot_rl.config.section import NotNegative, Positive, PositiveTriple, Section, Triple
from safety.faults import FaultCode, bound_ms

type ArmSettings = Annotated[Any, BeforeValidator(partial(drivers.settings, drivers.ARMS))]
type CameraSettings = Annotated[Any, BeforeValidator(partial(drivers.settings, drivers.CAMERAS))]
type TeleopSettings = Annotated[Any, BeforeValidator(partial(drivers.settings, drivers.TELEOP))]
"""Frozen models of the drivers themselves (hardware.driver.DriverSettings and what adds to it)."""


class Limits(Section):
    """What no command may exceed, whatever the task says; a task can only tighten it."""

    workspace_min_m: Triple
    workspace_max_m: Triple
    margin_m: NotNegative = 0.01
    speed_m_s: Positive
    acceleration_m_s2: Positive
    jerk_m_s3: Positive
    rotation_speed_rad_s: Positive
    rotation_acceleration_rad_s2: Positive
    rotation_jerk_rad_s3: Positive
    clip_negative_m: PositiveTriple
    clip_positive_m: PositiveTriple
    clip_rad: PositiveTriple
    static_force_n: Positive  # stated; stiffness × clip must not exceed it
    torque_nm: tuple[Positive, ...]
    torque_rate_nm_per_ms: Positive = 1.0

    @model_validator(mode="after")
    def _box_is_a_box(self) -> Self:
        for axis, low, high in zip("xyz", self.workspace_min_m, self.workspace_max_m, strict=True):
            if low >= high:
                raise ValueError(
                    f"workspace_min_m is {low} on {axis} and workspace_max_m is {high}: "
                    "the smaller value must come first"
                )
        return self


class Impedance(Section):
    stiffness_n_m: PositiveTriple
    rotational_stiffness_nm_rad: PositiveTriple
    damping_ratio: Positive = 1.0
    nullspace_stiffness_nm_rad: NotNegative = 10.0


WATCHDOG_AT_MOST_S = bound_ms(FaultCode.CONTROL_LOST) / 2 * 1e-3
"""Half of the time in which an arm that loses control must stand: the rest is for braking."""


FREEZE_LATCH_AT_MOST_S = bound_ms(FaultCode.CONTROL_FROZEN) * 1e-3
"""A control loop that stood still this long latches a fault; a simulated cell, which moves nothing
real and shares a busy computer, may allow more in its file.
"""


class Control(Section):
    rate_hz: Annotated[int, Field(ge=50, le=1000)] = 200
    watchdog_missed_commands: Annotated[int, Field(ge=2, le=100)] = 20
    freeze_latch_s: Positive = FREEZE_LATCH_AT_MOST_S  # a loop that stood still so long latches

    @model_validator(mode="after")
    def _arm_brakes_in_time(self) -> Self:
        if self.watchdog_s > WATCHDOG_AT_MOST_S * (1 + 1e-9):
            most = int(WATCHDOG_AT_MOST_S * self.rate_hz + 1e-9)
            raise ValueError(
                f"watchdog_missed_commands is {self.watchdog_missed_commands} at {self.rate_hz} "
                f"commands a second, so that the arm would go on for {self.watchdog_s:.2f} s "
                f"without control; {WATCHDOG_AT_MOST_S} s is allowed, which is {most} at this rate"
            )
        return self

    @property
    def watchdog_s(self) -> float:
        """Without a new command for this long, the arm brakes by itself."""
        return self.watchdog_missed_commands / self.rate_hz

    @field_validator("rate_hz")
    @classmethod
    def _whole_periods(cls, value: int) -> int:
        if 1_000_000_000 % value:
            raise ValueError(
                "one control period must be a whole number of nanoseconds; "
                "50, 100, 125, 200, 250, 500 and 1000 are"
            )
        return value


class Cell(Section):
    """`cells/*.toml`."""

    path: Path
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    robot: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    emergency_stop: str  # where the hard-wired one is; shown beside the console's stop button
    stale_camera_s: Positive = 0.2
    arm: ArmSettings
    limits: Limits
    impedance: Impedance
    control: Control = Control()
    cameras: dict[str, CameraSettings] = Field(default_factory=dict)
    teleop: tuple[TeleopSettings, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        described = self.described_arm
        self._cameras_fit(described)
        if 2 * described.period_ns * self.control.rate_hz > 1_000_000_000:
            raise ValueError(
                f"control.rate_hz is {self.control.rate_hz}, and the arm steps "
                f"{1e9 / described.period_ns:.0f} times a second, where it needs two steps to "
                "follow each command: lower control.rate_hz, or the arm's period if its driver "
                "lets you"
            )
        if not self.simulated and self.control.freeze_latch_s > FREEZE_LATCH_AT_MOST_S:
            raise ValueError(
                f"control.freeze_latch_s is {self.control.freeze_latch_s}; at most "
                f"{FREEZE_LATCH_AT_MOST_S} s is allowed where the arm is not simulated"
            )
        if len(self.limits.torque_nm) != described.joints:
            raise ValueError(
                f"limits.torque_nm has {len(self.limits.torque_nm)} values, and the arm has "
                f"{described.joints} joints: give one value for each"
            )
        for axis in range(3):
            clip = max(self.limits.clip_negative_m[axis], self.limits.clip_positive_m[axis])
            force = self.impedance.stiffness_n_m[axis] * clip
            if force > self.limits.static_force_n * (1 + 1e-9):
                raise ValueError(
                    f"stiffness × clip on {'xyz'[axis]} is {force:.1f} N and "
                    f"limits.static_force_n is {self.limits.static_force_n:.1f} N: "
                    "lower impedance.stiffness_n_m or the clip"
                )
        return self

    def _cameras_fit(self, described: drivers.ArmFacts) -> None:
        scene = () if described.simulation is None else described.simulation.cameras
        for name in self.cameras:
            if not name.isidentifier():
                raise ValueError(f"camera name {name!r}: letters, digits and underscores only")
            if self.drawn(name) and name not in scene:
                has = f"has the cameras {' and '.join(scene)} only" if scene else "draws none"
                if described.simulation is None:
                    has = "is not simulated"
                raise ValueError(f"cameras.{name} is drawn by a simulation, and the arm {has}")

    @property
    def described_arm(self) -> drivers.ArmFacts:
        """What the driver says of the arm (hardware.arm.ArmDescription)."""
        return drivers.find(drivers.ARMS, self.arm.driver).describe(self.arm)

    def drawn(self, camera: str) -> bool:
        """Whether the simulation draws it; it then has no process of its own."""
        return drivers.find(drivers.CAMERAS, self.cameras[camera].driver).open is None

    @property
    def joints(self) -> int:
        """Of the arm."""
        return len(self.limits.torque_nm)

    @property
    def simulated(self) -> bool:
        return self.described_arm.simulation is not None
