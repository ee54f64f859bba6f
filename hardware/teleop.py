"""The seam for input devices at the robot PC."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.clock import Clock
from hardware.driver import Attachments, DriverSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TeleopInput:
    """Raw state of an input device. Axes are in −1 … 1, in ROS convention (x forward, y left, z
    up).
    """

    t_ns: int
    axes: NDArray[np.float64]  # (6,) translation, rotation
    buttons: tuple[bool, ...]


class TeleopDevice(Protocol):
    """A SpaceMouse, gamepad or similar."""

    name: str

    def read(self) -> TeleopInput:
        """The newest input; axes are zero when the device has been silent. Raises DeviceLost on
        unplug.
        """
        ...

    def close(self) -> None: ...


class DeviceLost(RuntimeError):
    """The input device was unplugged."""


class TeleopSettings(DriverSettings):
    """What every device's section of a cell file has. It acts under the console's lease holder."""

    dead_band: Annotated[float, Field(ge=0, lt=0.5)] = 0.08
    deflection_is_deadman: bool = False  # false: the first button is the dead-man
    arm: str | None = None  # which one it drives; not given: the first that the task moves


@dataclass(frozen=True, slots=True, kw_only=True)
class TeleopDriver:
    """What an entry point of `robot_rl.teleop` names. Importing it must load no device library."""

    settings: type[TeleopSettings]
    open: Callable[[Any, Clock], TeleopDevice]  # of settings and clock; raises DeviceLost
    attached: Attachments | None = None
    """What `doctor` shows. None: the driver cannot tell."""
