"""A real camera in its own process: every frame goes to shared memory with its capture time."""

import signal
from collections.abc import Callable
from pathlib import Path

from hardware import realtime
from hardware.camera import Camera
from hardware.clock import Clock, MonotonicClock
from hardware.parent import Parent
from hardware.sim.topics import open_frames

_TIMEOUT_S = 1.0


def publish(camera: Camera, folder: Path, ended: Callable[[], bool]) -> None:
    """Until `ended`. Raises CameraLost when frames stop: the supervisor starts it again."""
    frames = open_frames(folder, camera.name)
    last = None
    while not ended():
        frame = camera.read(_TIMEOUT_S)
        if frame.number == last:
            continue  # a camera that repeats itself must look stale, not fresh
        last = frame.number
        frames.write(
            frame.jpeg, capture_ns=frame.capture_ns, width=frame.width, height=frame.height
        )


def main(folder: Path, open_camera: Callable[[Clock], Camera]) -> None:
    """Until SIGTERM, or until the supervisor is gone."""
    parent, asked = Parent(), False

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    camera = open_camera(MonotonicClock())
    realtime.quiet_collector()
    try:
        publish(camera, folder, lambda: asked or parent.gone())
    finally:
        camera.close()
