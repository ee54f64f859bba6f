"""A cell: a workplace with its robot, limits, cameras and input devices."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from robot_rl.config import drivers
from robot_rl.config.cell_arm import ArmSettings, CellArm, Impedance, Limits
from robot_rl.config.collision import CollisionSection
from robot_rl.config.limit_profile import DeclaredProfile, declared
from robot_rl.config.section import ArmName, NotNegative, Positive, Section
from robot_rl.schema.message import MAX_CAMERAS, CameraName
from safety.faults import FaultCode, bound_ms
from safety.vocabulary import ONLY_ARM

type CameraSettings = Annotated[Any, BeforeValidator(partial(drivers.settings, drivers.CAMERAS))]
type TeleopSettings = Annotated[Any, BeforeValidator(partial(drivers.settings, drivers.TELEOP))]
"""Frozen models of the drivers themselves (hardware.driver.DriverSettings and what adds to it)."""

type RobotName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]

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


class KeptRecording(Section):
    """What the server has acknowledged stays on the robot's disk as well, for a server that has to
    be restored from a backup. 0 keeps nothing.
    """

    keep_sent_h: NotNegative = 24.0
    keep_sent_gib: NotNegative = 8.0  # the oldest go first


class Cell(Section):
    """`cells/*.toml`."""

    model_config = ConfigDict(serialize_by_alias=True)

    path: Path
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    robot: RobotName
    emergency_stop: str  # where the hard-wired one is; shown beside the console's stop button
    stale_camera_s: Positive = 0.2
    # Of a cell with one arm:
    arm: ArmSettings = None
    limits: Limits | None = None
    impedance: Impedance | None = None
    collision: CollisionSection | None = None
    # Of a cell with several, by name:
    several: Annotated[dict[ArmName, CellArm], Field(alias="arms")] = Field(default_factory=dict)
    control: Control = Control()
    outbox: KeptRecording = KeptRecording()
    cameras: Annotated[dict[CameraName, CameraSettings], Field(max_length=MAX_CAMERAS)] = Field(
        default_factory=dict
    )
    teleop: tuple[TeleopSettings, ...] = ()

    @model_validator(mode="after")
    def _arms_are_given_once(self) -> Self:
        one = {"arm": self.arm, "limits": self.limits, "impedance": self.impedance}
        given = [name for name, section in one.items() if section is not None]
        if self.several and given:
            raise ValueError(
                f"{given[0]} belongs to a cell with one arm, and the file has [arms.NAME] too: "
                f"put it into the section of each arm, as [arms.NAME.{given[0]}]"
            )
        if self.several and self.collision is not None:
            raise ValueError(
                "collision belongs to a cell with one arm: put it into the section of each arm, as "
                "[arms.NAME.collision]"
            )
        if not self.several and len(given) < len(one):
            lacks = next(name for name in one if name not in given)
            raise ValueError(
                f"{lacks} is missing; add [{lacks}], or [arms.NAME] for each of several arms"
            )
        if not self.several:
            self._only_arm().check()
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._cameras_fit()
        if self.simulated and len(self.arms) > 1:
            raise ValueError(
                "a simulated arm is the only one of its cell: a simulation is one process, and "
                "the arms of a cell have one each; give the cell one arm, whose driver may "
                "simulate more"
            )
        for number, device in enumerate(self.teleop):
            if device.arm is not None and device.arm not in self.arms:
                raise ValueError(
                    f"teleop.{number}.arm is {device.arm!r}, and the cell has "
                    f"{', '.join(self.arms)}: correct it"
                )
        self._profiles_concern_every_arm()
        for name, arm in self.arms.items():
            self._rate_fits(name, arm.described)
        if not self.simulated and self.control.freeze_latch_s > FREEZE_LATCH_AT_MOST_S:
            raise ValueError(
                f"control.freeze_latch_s is {self.control.freeze_latch_s}; at most "
                f"{FREEZE_LATCH_AT_MOST_S} s is allowed where the arm is not simulated"
            )
        return self

    def _profiles_concern_every_arm(self) -> None:
        """A person near, or a hot cup, is no matter of one arm."""
        for name in {name for arm in self.arms.values() for name in arm.limits.profiles}:
            for arm, settings in self.arms.items():
                if name not in settings.limits.profiles:
                    raise ValueError(
                        f"the profile {name!r} is missing in arms.{arm}.limits.profiles, and "
                        "another arm has it: what selects it must tighten every arm"
                    )

    def _rate_fits(self, name: str, described: drivers.ArmFacts) -> None:
        if 2 * described.period_ns * self.control.rate_hz > 1_000_000_000:
            which = "the arm" if name == ONLY_ARM else f"the arm {name}"
            raise ValueError(
                f"control.rate_hz is {self.control.rate_hz}, and {which} steps "
                f"{1e9 / described.period_ns:.0f} times a second, where it needs two steps to "
                "follow each command: lower control.rate_hz, or the arm's period if its driver "
                "lets you"
            )

    def _cameras_fit(self) -> None:
        simulation = self.simulation
        scene = () if simulation is None else simulation.cameras
        for name in self.cameras:
            if not name.isidentifier():
                raise ValueError(f"camera name {name!r}: letters, digits and underscores only")
            if self.drawn(name) and name not in scene:
                has = f"has the cameras {' and '.join(scene)} only" if scene else "draws none"
                if simulation is None:
                    has = "is not simulated"
                raise ValueError(f"cameras.{name} is drawn by a simulation, and the arm {has}")

    def of(self, robot: str) -> Self:
        """The cell of another robot of the same build. Raises ValueError for what is no name."""
        try:
            name = TypeAdapter[str](RobotName).validate_python(robot)
        except ValidationError as error:
            raise ValueError(
                f"robot = {robot!r} is no name of a robot: a small letter, and then small letters, "
                "digits, - and _"
            ) from error
        return self.model_copy(update={"robot": name})

    @property
    def arms(self) -> Mapping[str, CellArm]:
        """Every arm by its name, in the order of the file; a single one is called `ONLY_ARM`."""
        return self.several or {ONLY_ARM: self._only_arm()}

    def _only_arm(self) -> CellArm:
        return CellArm.model_construct(
            arm=self.arm,
            limits=self.limits,
            impedance=self.impedance,
            collision=self.collision or CollisionSection(),
        )

    @property
    def limit_profiles(self) -> tuple[DeclaredProfile, ...]:
        """Those that the arms' limits declare, in the order of the file."""
        return declared(arm.limits.profiles for arm in self.arms.values())

    @property
    def simulation(self) -> drivers.SimulationFacts | None:
        """What the simulated arm offers besides; None in a cell of real ones."""
        found = (arm.described.simulation for arm in self.arms.values())
        return next((simulation for simulation in found if simulation is not None), None)

    def drawn(self, camera: str) -> bool:
        """Whether the simulation draws it; it then has no process of its own."""
        return drivers.find(drivers.CAMERAS, self.cameras[camera].driver).open is None

    @property
    def joints(self) -> Mapping[str, int]:
        """Of each arm."""
        return {name: arm.joints for name, arm in self.arms.items()}

    @property
    def sensors(self) -> Mapping[str, tuple[str, ...]]:
        """Names of what each arm measures besides (hardware.arm.ArmDescription)."""
        return {name: arm.described.sensors for name, arm in self.arms.items()}

    @property
    def simulated(self) -> bool:
        return self.simulation is not None
