"""The seam for input devices at the robot PC."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


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
