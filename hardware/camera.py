"""The seam between cameras and the rest: encoded frames with their own capture time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import Field

from hardware.clock import Clock
from hardware.driver import Attachments, DriverSettings
from hardware.memory import Frames

FRAME_SLOTS = 4
FRAME_BYTES = 2**20  # the largest JPEG that a camera may deliver


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFrame:
    """One JPEG image. `number` counts captures, so that a camera that repeats itself is seen."""

    number: int
    capture_ns: int  # robot clock
    jpeg: bytes
    width: int
    height: int


class Camera(Protocol):
    """A source of frames; runs in its own process and publishes to shared memory."""

    name: str

    def read(self, timeout_s: float) -> CameraFrame:
        """The next frame. Raises CameraLost when none arrives in time."""
        ...

    def close(self) -> None: ...


class CameraSettings(DriverSettings):
    """What every camera's section of a cell file has."""

    width: Annotated[int, Field(ge=64, le=1920)] = 640
    height: Annotated[int, Field(ge=64, le=1920)] = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDriver:
    """What an entry point of `robot_rl.cameras` names. Importing it must load no device library."""

    settings: type[CameraSettings]
    open: Callable[[str, Any, Clock], Camera] | None
    """Of name, settings and clock; raises CameraLost. None: the simulation draws it."""
    attached: Attachments | None = None
    """What `doctor` shows. None: the driver cannot tell."""


def open_frames(folder: Path, camera: str) -> Frames:
    """The newest images of a camera, simulated or real, in the daemon's shared memory."""
    return Frames(folder / f"camera_{camera}", FRAME_SLOTS, FRAME_BYTES)


class CameraLost(RuntimeError):
    """A camera stopped delivering frames; says which one and what to check."""
