"""Drivers by name: arms, cameras and teleoperation devices, ours and those of other packages.

A package names its drivers in its metadata, as entry points of these groups; nothing here knows any
of them. Each brings a frozen model of its own settings, which its section of a cell file must fit.
The scripted experts of rehearsals are found in the same way, by the names of their scenes.
"""

from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from pydantic import BaseModel, ValidationError

from safety.shape import ArmShape

ARMS = "robot_rl.arms"  # hardware.arm.ArmDriver
CAMERAS = "robot_rl.cameras"  # hardware.camera.CameraDriver
TELEOP = "robot_rl.teleop"  # hardware.teleop.TeleopDriver
EXPERTS = "robot_rl.experts"  # robot_rl.rehearsal.expert.ExpertMaker, named as its scene

_WHAT = {
    ARMS: "arm driver",
    CAMERAS: "camera driver",
    TELEOP: "teleoperation driver",
    EXPERTS: "scripted expert for the scene",
}


class SimulationFacts(Protocol):
    """What a cell file is checked against, of hardware.arm.SimulationDescription."""

    @property
    def step_ns(self) -> int: ...
    @property
    def scenes(self) -> tuple[str, ...]: ...
    @property
    def cameras(self) -> tuple[str, ...]: ...
    @property
    def renderer(self) -> str: ...
    @property
    def draws_itself(self) -> bool: ...
    @property
    def changes_view(self) -> bool: ...


class ArmFacts(Protocol):
    """What a cell file is checked against, of hardware.arm.ArmDescription."""

    @property
    def joints(self) -> int: ...
    @property
    def period_ns(self) -> int: ...
    @property
    def sensors(self) -> tuple[str, ...]: ...
    @property
    def shape(self) -> ArmShape | None: ...
    @property
    def simulation(self) -> SimulationFacts | None: ...


def known(group: str) -> tuple[str, ...]:
    """Names of what is installed of a group."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


@cache
def find(group: str, name: str) -> Any:
    """The driver of that name. Raises ValueError with one plain sentence."""
    points = [point for point in entry_points(group=group) if point.name == name]
    if not points:
        raise ValueError(
            f"there is no {_WHAT[group]} {name!r}; installed are: "
            f"{', '.join(known(group)) or '(none: install robot-rl itself, with `make install`)'}"
        )
    try:
        return points[0].load()
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"the {_WHAT[group]} {name!r} ({points[0].value}) does not load ({error}): "
            "install its package again"
        ) from error


def settings(group: str, section: object) -> Any:
    """A section of a cell file as its driver's own model. Raises ValueError."""
    if isinstance(section, BaseModel):
        return section  # made by code, by that model itself
    driver = cast(dict[str, object], section).get("driver") if isinstance(section, dict) else None
    if not isinstance(driver, str):
        raise ValueError(f"driver is missing; installed are: {', '.join(known(group))}")
    model: type[BaseModel] = find(group, driver).settings
    try:
        return model.model_validate(section)
    except ValidationError as error:
        raise ValueError(_sentence(driver, model, error)) from error


def _sentence(driver: str, model: type[BaseModel], error: ValidationError) -> str:
    """The first problem; a misspelt key first, because it leaves the right one missing too."""
    problems = error.errors(include_url=False)
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        keys = ", ".join(name for name in model.model_fields if name != "driver")
        return f"{key} is not a known key of the driver {driver!r}; known are: {keys}"
    if first["type"] == "missing":
        return f"{key} is missing, and the driver {driver!r} needs it; add it"
    reason = first["msg"].removeprefix("Value error, ")
    return f"{key} = {first['input']!r}: {reason[0].lower()}{reason[1:]}"
