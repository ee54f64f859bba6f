"""The seam between cameras and the rest: encoded frames with their own capture time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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


def open_frames(folder: Path, camera: str) -> Frames:
    """The newest images of a camera, simulated or real, in the daemon's shared memory."""
    return Frames(folder / f"camera_{camera}", FRAME_SLOTS, FRAME_BYTES)


class CameraLost(RuntimeError):
    """A camera stopped delivering frames; says which one and what to check."""
