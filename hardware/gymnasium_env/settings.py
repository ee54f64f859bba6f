"""`[arm]` of a cell whose arm lives in a gymnasium environment: what is what in it."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hardware.driver import DriverSettings
from hardware.gymnasium_env.entry import Entry
from hardware.simulation_topics import MAX_OBJECTS

type Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
type ShortName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")]
type Positive = Annotated[float, Field(gt=0)]

POSE = ("dx", "dy", "dz", "rx", "ry", "rz")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ActionColumn(_Part):
    """One column of the environment's action: m or rad for each unit of it; negative turns it."""

    column: Annotated[int, Field(ge=0)]
    unit: float

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.unit == 0.0:
            raise ValueError("unit is 0: give the metres or radians of one unit of the action")
        return self


class GripperColumn(_Part):
    """What the environment is told at every step to open, to close, and to leave the gripper.

    Without `stay` the last order is repeated: an environment that takes a position.
    """

    column: Annotated[int, Field(ge=0)]
    open: float
    close: float
    stay: float | None = None


class ActionMapping(_Part):
    """The environment's action vector: changes of the TCP's pose, or of joints. Columns that
    nothing here names are 0.
    """

    size: Annotated[int, Field(ge=1, le=64)]
    dx: ActionColumn | None = None
    dy: ActionColumn | None = None
    dz: ActionColumn | None = None
    rx: ActionColumn | None = None
    ry: ActionColumn | None = None
    rz: ActionColumn | None = None
    joints: tuple[ActionColumn, ...] = ()  # in place of the pose; needs [arm.kinematics]
    gripper: GripperColumn | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        parts = (*self.pose, *self.joints, self.gripper)
        used = [part.column for part in parts if part is not None]
        if len(set(used)) != len(used) or any(column >= self.size for column in used):
            raise ValueError(f"its columns must be different ones below size, which is {self.size}")
        if any(self.pose) == bool(self.joints):
            raise ValueError(
                "name the columns of dx, dy, dz, rx, ry, rz, or those of joints, but not both"
            )
        return self

    @property
    def pose(self) -> tuple[ActionColumn | None, ...]:
        """(6,) of dx, dy, dz, rx, ry, rz."""
        return tuple(getattr(self, name) for name in POSE)


class Kinematics(_Part):
    """Of an environment that is moved by its joints: where its TCP is, and how they move it."""

    model: Annotated[str, Field(min_length=1)]  # MJCF or URDF; `package:path` in a Python package
    site: str  # the TCP; the model's world is the base frame
    joints: Annotated[tuple[str, ...], Field(min_length=1)]  # in the order of state.q_rad


class StateMapping(_Part):
    """Where the arm's state stands. What is not given is as the gate commands it, or 0."""

    tcp_position_m: Entry | None = None
    tcp_quaternion: Entry | None = None
    quaternion_order: Literal["wxyz", "xyzw"] = "wxyz"
    tcp_twist: Entry | None = None  # m/s, rad/s; not given: the TCP's change over the last step
    wrench: Entry | None = None
    q_rad: Entry | None = None
    dq_rad_s: Entry | None = None
    gripper: Entry | None = None
    gripper_open: float = 1.0  # what that entry is when the gripper is open
    gripper_closed: float = 0.0
    max_opening_m: Positive = 0.085
    # Without tcp_position_m: where the TCP is after a reset
    start_position_m: tuple[float, float, float] | None = None

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        sizes = {"tcp_position_m": 3, "tcp_quaternion": 4, "tcp_twist": 6, "wrench": 6}
        for name, size in {**sizes, "gripper": 1}.items():
            entry: Entry | None = getattr(self, name)
            if entry is not None and entry.size not in (None, size):
                raise ValueError(f"{name} is {size} values, and {entry} is {entry.size}")
        if self.q_rad is not None and self.q_rad.size is None:
            raise ValueError(f"q_rad = {self.q_rad}: say how many joints, as {self.q_rad}[0:7]")
        if self.dq_rad_s is not None and self.dq_rad_s.size != self.joints:
            raise ValueError("dq_rad_s must have as many values as q_rad, with its range given")
        if self.gripper_open == self.gripper_closed:
            raise ValueError("gripper_open and gripper_closed must differ")
        return self

    @property
    def joints(self) -> int:
        return 0 if self.q_rad is None else self.q_rad.size or 0


class GymnasiumSettings(DriverSettings):
    """An environment by its id, `package:id` where the package has to be imported first."""

    environment: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any] = Field(default_factory=dict)  # of gymnasium.make
    python: Path | None = None  # of another virtual environment; none: robot-rl's own
    scene: Name  # as tasks call it; its scripted expert has the same name
    step_s: Annotated[float, Field(ge=0.01, le=1.0)] = 0.1
    period_s: Annotated[float, Field(ge=0.0005, le=0.01)] = 0.0025  # of the arm's own loop
    patience_s: Annotated[float, Field(ge=0.1, le=25.0)] = 10.0  # for a step or a reset
    compute_s: Annotated[float, Field(ge=0.0)] = 0.03  # real time: a step is begun so early
    action: ActionMapping
    state: StateMapping
    kinematics: Kinematics | None = None
    sensors: dict[Name, Entry] = Field(default_factory=dict)  # a number each; names with units
    objects: dict[ShortName, Entry] = Field(default_factory=dict)  # position m, or with w x y z
    images: dict[str, Entry] = Field(default_factory=dict)  # camera → (height, width, 3) uint8
    success: Entry | None = None  # none: it terminated with a reward above 0
    progress: Entry | None = None  # 0 … 1

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.step_ns % self.period_ns:
            raise ValueError(
                f"step_s is {self.step_s} and period_s {self.period_s}: a step is a whole number "
                "of periods"
            )
        self._finds_its_tcp()
        if self.compute_s >= self.step_s:
            raise ValueError(f"compute_s is {self.compute_s}: it must be below step_s")
        for name, entry in self.sensors.items():
            if entry.size not in (None, 1):
                raise ValueError(f"sensors.{name} is one number, and {entry} is {entry.size}")
        if len(self.objects) > MAX_OBJECTS:
            raise ValueError(f"objects: {MAX_OBJECTS} at most, {len(self.objects)} given")
        for name, entry in self.objects.items():
            if entry.size not in (None, 3, 7):
                raise ValueError(f"objects.{name} has 3 or 7 values, and {entry} is {entry.size}")
        return self

    def _finds_its_tcp(self) -> None:
        state, kinematics, joints = self.state, self.kinematics, self.action.joints
        if kinematics is None:
            if joints:
                raise ValueError("action.joints needs [arm.kinematics], which says how they move")
            if state.tcp_position_m is None and state.start_position_m is None:
                raise ValueError(
                    "give state.tcp_position_m, or state.start_position_m where it is not observed"
                )
        elif len(kinematics.joints) != state.joints or len(joints) not in (0, state.joints):
            raise ValueError(
                f"state.q_rad has {state.joints} joints: kinematics.joints, and action.joints if "
                "it is given, must have as many"
            )

    @property
    def step_ns(self) -> int:
        return round(self.step_s * 1e9)

    @property
    def period_ns(self) -> int:
        return round(self.period_s * 1e9)

    @property
    def meaning(self) -> str:
        arguments = "".join(f" {key}={self.arguments[key]}" for key in sorted(self.arguments))
        return f"{self.driver} {self.environment}{arguments}"

    @property
    def values(self) -> dict[str, Entry]:
        """Every value that is wanted of a step, by a name of its own."""
        named = {name: getattr(self.state, name) for name in _STATE}
        named |= {"success": self.success, "progress": self.progress}
        named |= {f"sensor {name}": entry for name, entry in self.sensors.items()}
        named |= {f"object {name}": entry for name, entry in self.objects.items()}
        return {name: entry for name, entry in named.items() if entry is not None}


_STATE = (
    "tcp_position_m",
    "tcp_quaternion",
    "tcp_twist",
    "wrench",
    "q_rad",
    "dq_rad_s",
    "gripper",
)
