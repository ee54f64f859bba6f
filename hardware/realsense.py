"""An Intel RealSense colour camera through pyrealsense2; a recording works in its place."""

import ctypes
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import simplejpeg  # pyright: ignore[reportMissingTypeStubs]
from pydantic import Field

from hardware.camera import CameraDriver, CameraFrame, CameraLost, CameraSettings
from hardware.clock import Clock
from hardware.driver import Attached

_JPEG_QUALITY = 90
_MAX_AGE_NS = 500_000_000  # an older time stamp is another clock's, not the frame's age
_STEP_NS = 50_000_000
"""The wall clock moved against the robot's by this much between two frames: somebody set it. Less
makes no frame look stale."""
_SETTLE_NS = 60_000_000_000
"""The library fits the camera's own clock to the wall clock over many seconds; until then stamps
from before and after a step are mixed in its fit."""


def load_library() -> Any:
    """pyrealsense2. It needs libusb in the process before it is imported: the wheel has none."""
    import libusb_package  # pyright: ignore[reportMissingTypeStubs]

    library: Any = libusb_package.get_library_path()
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    import pyrealsense2  # pyright: ignore[reportMissingTypeStubs]

    return pyrealsense2


def _serials(library: Any) -> list[str]:
    key = library.camera_info.serial_number
    return [device.get_info(key) for device in library.context().query_devices()]


def attached() -> tuple[Attached, ...]:
    """Raises what the library raises where it does not load."""
    return tuple(Attached(name=serial) for serial in _serials(load_library()))


def _check_present(library: Any, name: str, serial: str) -> None:
    """Raises CameraLost at once; the pipeline would look for the camera for 15 s."""
    present = _serials(library)
    if serial not in present:
        raise CameraLost(
            f"Camera {name}: no RealSense with the serial number {serial!r} is connected "
            f"(present: {', '.join(present) or 'none'}). Check the cable and the cell file."
        )


class RealSenseSettings(CameraSettings):
    serial: str
    rate_hz: Annotated[int, Field(ge=5, le=90)] = 30

    def among(self, attached: Sequence[Attached]) -> Attached:
        for each in attached:
            if each.name == self.serial:
                return each
        raise LookupError(
            f"no RealSense with the serial number {self.serial} is attached, or not by USB 3"
        )


class WallStamps:
    """The age of frames that carry wall time, by which the robot's clock dates them.

    The wall clock may be set at any moment (fault 22). A frame that was stamped before and read
    after would look old or of the future, and the policy would hold for it; so around a step stamps
    are not believed, and a frame counts as taken when it arrived.
    """

    def __init__(self) -> None:
        self._wall_less_robot_ns: int | None = None
        self._doubted_until_ns = 0

    def capture_ns(self, stamp_ns: int, *, now_ns: int, wall_ns: int) -> int:
        """Robot time of a frame's exposure, from its stamp and both clocks as it arrives."""
        ahead_ns, before_ns = wall_ns - now_ns, self._wall_less_robot_ns
        self._wall_less_robot_ns = ahead_ns
        if before_ns is not None and abs(ahead_ns - before_ns) > _STEP_NS:
            self._doubted_until_ns = now_ns + _SETTLE_NS
        age_ns = wall_ns - stamp_ns
        believed = now_ns >= self._doubted_until_ns and 0 <= age_ns < _MAX_AGE_NS
        return now_ns - age_ns if believed else now_ns


class RealSense:
    """Implements `hardware.camera.Camera` for a `serial` number, or a `recording` to replay."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        serial: str = "",
        recording: Path | None = None,
        width: int = 640,
        height: int = 480,
        rate_hz: int = 30,
    ) -> None:
        library = load_library()
        self.name, self._clock, self._library = name, clock, library
        self._stamps = WallStamps()
        self._what = f"recording {recording}" if recording else f"RealSense {serial}"
        config = library.config()
        if recording:
            config.enable_device_from_file(str(recording), repeat_playback=False)
        else:
            _check_present(library, name, serial)
            config.enable_device(serial)
            config.enable_stream(library.stream.color, width, height, library.format.rgb8, rate_hz)
        self._pipeline = library.pipeline()
        try:
            self._pipeline.start(config)
        except RuntimeError as error:
            raise CameraLost(
                f"Camera {name}: {self._what} did not start ({error}). Check the serial number, "
                f"the cable (USB 3), and that it offers {width}×{height} at {rate_hz} Hz."
            ) from error

    def read(self, timeout_s: float) -> CameraFrame:
        """The next colour frame, with the camera's own frame number and exposure time."""
        try:
            colour = self._pipeline.wait_for_frames(round(timeout_s * 1e3)).get_color_frame()
        except RuntimeError as error:
            raise CameraLost(
                f"Camera {self.name}: {self._what} delivered no frame for {timeout_s:.1f} s. "
                "Check its cable."
            ) from error
        capture_ns = self._capture_ns(colour)
        image = np.ascontiguousarray(np.asanyarray(colour.get_data()))
        jpeg = simplejpeg.encode_jpeg(  # pyright: ignore[reportUnknownMemberType]
            image, quality=_JPEG_QUALITY, colorsubsampling="420"
        )
        return CameraFrame(
            number=int(colour.get_frame_number()),
            capture_ns=capture_ns,
            jpeg=jpeg,
            width=int(colour.get_width()),
            height=int(colour.get_height()),
        )

    def _capture_ns(self, colour: Any) -> int:
        """Robot time of the exposure; of the arrival, where the stamp is the camera's own time."""
        now_ns, wall_ns = self._clock.now_ns(), time.time_ns()
        domain = colour.get_frame_timestamp_domain()
        if domain == self._library.timestamp_domain.hardware_clock:
            return now_ns
        stamp_ns = round(colour.get_timestamp() * 1e6)
        return self._stamps.capture_ns(stamp_ns, now_ns=now_ns, wall_ns=wall_ns)

    def close(self) -> None:
        self._pipeline.stop()


def open_realsense(name: str, settings: RealSenseSettings, clock: Clock) -> RealSense:
    """Raises CameraLost."""
    return RealSense(
        name,
        clock,
        serial=settings.serial,
        width=settings.width,
        height=settings.height,
        rate_hz=settings.rate_hz,
    )


DRIVER = CameraDriver(settings=RealSenseSettings, open=open_realsense, attached=attached)
