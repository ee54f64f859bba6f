"""The process of one real camera: every frame goes to shared memory with its capture time.

A camera that is away is told once and looked for every second; meanwhile its newest frame grows
old, and the policy holds.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hardware import realtime
from hardware.camera import (
    FRAME_BYTES,
    Camera,
    CameraDriver,
    CameraLost,
    CameraSettings,
    open_frames,
)
from hardware.clock import MonotonicClock
from hardware.memory import Frames
from hardware.parent import Parent
from robot_rl.daemon.log import Log

_TIMEOUT_S = 1.0
_RETRY_S = 1.0
_NAP_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RealCamera:
    """What the process is started with."""

    name: str
    driver: CameraDriver
    settings: CameraSettings
    memory: Path  # the daemon's shared-memory folder
    log_file: Path


@dataclass(slots=True)
class CameraFeed:
    """Opens the camera, publishes its frames, and tries again once it is lost."""

    open: Callable[[], Camera]
    frames: Frames
    log: Callable[[str], None]
    _told: str = ""

    def run(self, ended: Callable[[], bool]) -> None:
        while not ended():
            try:
                self.publish(ended)
            except CameraLost as error:
                self._say(str(error))
                retry_s = time.monotonic() + _RETRY_S
                while not ended() and time.monotonic() < retry_s:
                    time.sleep(_NAP_S)

    def publish(self, ended: Callable[[], bool]) -> None:
        """Until `ended`. Raises CameraLost when it cannot be opened, or delivers nothing usable."""
        camera = self.open()
        last: int | None = None
        try:
            while not ended():
                frame = camera.read(_TIMEOUT_S)
                if frame.number == last:
                    continue  # a camera that repeats itself must look stale, not fresh
                last = frame.number
                size = f"{frame.width}×{frame.height}"
                if len(frame.jpeg) > FRAME_BYTES:
                    raise CameraLost(
                        f"Camera {camera.name}: an image of {size} takes {len(frame.jpeg) // 1024} "
                        f"KiB, at most {FRAME_BYTES // 1024} KiB are allowed. Lower its width and "
                        "height in the cell file."
                    )
                self.frames.write(
                    frame.jpeg, capture_ns=frame.capture_ns, width=frame.width, height=frame.height
                )
                self._say(f"Camera {camera.name} delivers images of {size}.")
        finally:
            camera.close()

    def _say(self, sentence: str) -> None:
        """A camera that is away for an hour is told once."""
        if sentence != self._told:
            self._told = sentence
            self.log(sentence)


def main(settings: RealCamera) -> None:
    """Until SIGTERM, or until the supervisor is gone."""
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent, clock = Parent(), MonotonicClock()
    open_camera = settings.driver.open
    if open_camera is None:
        raise ValueError(f"camera {settings.name} is drawn by the simulation")
    feed = CameraFeed(
        open=lambda: open_camera(settings.name, settings.settings, clock),
        frames=open_frames(settings.memory, settings.name),
        log=Log(settings.log_file, f"camera_{settings.name}").say,
    )
    realtime.quiet_collector()
    feed.run(lambda: bool(ending) or parent.gone())
