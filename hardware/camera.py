"""The seam between cameras and the rest: encoded frames with their own capture time."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One JPEG image. `number` counts captures, so that a camera that repeats itself is seen."""

    number: int
    capture_ns: int  # robot clock
    jpeg: bytes
    width: int
    height: int


class Camera(Protocol):
    """A source of frames; runs in its own process and publishes to shared memory."""

    name: str

    def read(self, timeout_s: float) -> Frame:
        """The next frame. Raises CameraLost when none arrives in time."""
        ...

    def close(self) -> None: ...


class CameraLost(RuntimeError):
    """A camera stopped delivering frames; says which one and what to check."""
