"""A USB camera through OpenCV and Video4Linux. A recorded video file works in its place."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import simplejpeg  # pyright: ignore[reportMissingTypeStubs]
from pydantic import Field

from hardware.camera import CameraDriver, CameraFrame, CameraLost, CameraSettings
from hardware.clock import Clock
from hardware.driver import Attached

_JPEG_QUALITY = 90
DEVICES = Path("/dev")


class WebcamSettings(CameraSettings):
    """Also a recorded video file in its place, played at `rate_hz`."""

    device: str  # "/dev/video0", an index, or a video file
    rate_hz: Annotated[int, Field(ge=5, le=120)] = 30

    def among(self, attached: Sequence[Attached]) -> Attached:
        path = DEVICES / f"video{self.device}" if self.device.isdigit() else Path(self.device)
        for each in attached:
            if each.name == str(path.resolve()):
                return each
        if path.is_file():
            return Attached(name=self.device)  # a recording
        raise LookupError(f"{path} is not there")


def attached() -> tuple[Attached, ...]:
    """Every Video4Linux device, by its path."""
    found = [path for path in DEVICES.glob("video*") if path.name.removeprefix("video").isdigit()]
    found.sort(key=lambda path: int(path.name.removeprefix("video")))
    return tuple(_attached(str(path)) for path in found)


def _attached(path: str) -> Attached:
    if os.access(path, os.R_OK | os.W_OK):
        return Attached(name=path)
    mend = "add this user to the group `video` and sign in again"
    return Attached(name=path, problem=f"{path} may not be read by this user", mend=mend)


class Webcam:
    """Implements `hardware.camera.Camera`; `device` is a path such as /dev/video0, or a number."""

    def __init__(
        self,
        name: str,
        device: str,
        clock: Clock,
        *,
        width: int = 640,
        height: int = 480,
        rate_hz: int = 30,
    ) -> None:
        # Read once, when OpenCV is loaded: how long V4L may wait for a frame, s.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
        import cv2

        self.name, self._device, self._clock, self._number = name, device, clock, 0
        self._period_ns, self._due_ns = round(1e9 / rate_hz), 0
        self._live = live = device.isdigit() or device.startswith("/dev/")
        source: Any = int(device) if device.isdigit() else device
        self._capture = cv2.VideoCapture(source, cv2.CAP_V4L2 if live else cv2.CAP_ANY)
        if not self._capture.isOpened():
            raise CameraLost(
                f"Camera {name}: {device} could not be opened. Check that it is plugged in, that "
                "no other program uses it, and that you may read it (group video)."
            )
        if live:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            self._capture.set(cv2.CAP_PROP_FPS, rate_hz)
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def read(self, timeout_s: float) -> CameraFrame:
        """The next frame; its capture time is its arrival, before it is decoded.

        V4L waits one second at most, whatever `timeout_s` says: OpenCV offers nothing finer. A
        recording has no clock of its own, and is played at `rate_hz`.
        """
        if not self._live:
            self._clock.wait_until_ns(self._due_ns, timeout_s)
            self._due_ns = max(self._due_ns, self._clock.now_ns()) + self._period_ns
        if not self._capture.grab():
            raise CameraLost(
                f"Camera {self.name}: {self._device} delivers no frames. Check its cable."
            )
        capture_ns = self._clock.now_ns()
        decoded, image = self._capture.retrieve()
        if not decoded:
            raise CameraLost(f"Camera {self.name}: a frame of {self._device} is unreadable.")
        self._number += 1
        height, width = image.shape[:2]
        jpeg = simplejpeg.encode_jpeg(  # pyright: ignore[reportUnknownMemberType]
            image, quality=_JPEG_QUALITY, colorspace="BGR", colorsubsampling="420"
        )
        return CameraFrame(
            number=self._number, capture_ns=capture_ns, jpeg=jpeg, width=width, height=height
        )

    def close(self) -> None:
        self._capture.release()


def open_webcam(name: str, settings: WebcamSettings, clock: Clock) -> Webcam:
    """Raises CameraLost."""
    return Webcam(
        name,
        settings.device,
        clock,
        width=settings.width,
        height=settings.height,
        rate_hz=settings.rate_hz,
    )


DRIVER = CameraDriver(settings=WebcamSettings, open=open_webcam, attached=attached)
