"""Real camera drivers on recordings: what they deliver, and what they say when it ends."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from hardware.camera import CameraLost
from hardware.clock import MonotonicClock
from safety.faults import FaultCode

WIDTH, HEIGHT = 64, 48
MS = 1_000_000


def picture(index: int) -> np.ndarray:
    """RGB: red grows with the index."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = 40 * index
    image[..., 2] = 60
    return image


@pytest.fixture
def video(tmp_path: Path) -> Path:
    import cv2

    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (WIDTH, HEIGHT))
    for index in range(5):
        writer.write(picture(index)[..., ::-1])
    writer.release()
    return path


def test_webcam_delivers_frames_in_their_colours_and_ends_plainly(video: Path):
    from hardware.webcam import Webcam

    camera = Webcam("side", str(video), MonotonicClock())
    for index in range(5):
        before = time.monotonic_ns()
        frame = camera.read(1.0)
        assert frame.number == index + 1
        assert before <= frame.capture_ns <= time.monotonic_ns()
        assert (frame.width, frame.height) == (WIDTH, HEIGHT)
        decoded = simplejpeg.decode_jpeg(frame.jpeg).astype(int)
        assert abs(decoded - picture(index)).mean() < 6.0
    with pytest.raises(CameraLost, match="side"):
        camera.read(1.0)
    camera.close()


def test_webcam_that_is_not_there_says_what_to_check():
    from hardware.webcam import Webcam

    with pytest.raises(CameraLost, match="plugged in"):
        Webcam("side", "/dev/video99", MonotonicClock())


def record(path: Path) -> None:
    """A .db3 recording of a software RealSense, in real time."""
    from hardware.realsense import load_library

    rs = load_library()
    device = rs.software_device()
    sensor = device.add_sensor("Color")
    stream = rs.video_stream()
    stream.type, stream.fmt = rs.stream.color, rs.format.rgb8
    stream.index, stream.uid, stream.fps, stream.bpp = 0, 1, 30, 3
    stream.width, stream.height = WIDTH, HEIGHT
    lens = rs.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy = WIDTH, HEIGHT, 60.0, 60.0
    lens.ppx, lens.ppy, lens.model, lens.coeffs = 32.0, 24.0, rs.distortion.none, [0.0] * 5
    stream.intrinsics = lens
    profile = sensor.add_video_stream(stream).as_video_stream_profile()
    recorder = rs.recorder(str(path), device)
    first: Any = recorder.query_sensors()[0]
    first.open(first.get_stream_profiles()[0])
    queue = rs.frame_queue(16)
    first.start(queue)
    for index in range(5):
        frame = rs.software_video_frame()
        frame.pixels, frame.stride, frame.bpp = picture(index), WIDTH * 3, 3
        frame.timestamp, frame.frame_number = 1000.0 + index * 33.3, 100 + index
        frame.domain, frame.profile = rs.timestamp_domain.system_time, profile
        sensor.on_video_frame(frame)
        time.sleep(0.03)
    first.stop()
    first.close()


def test_realsense_delivers_the_recorded_frames(tmp_path: Path):
    from hardware.realsense import RealSense

    path = tmp_path / "recording.db3"
    record(path)
    camera = RealSense("wrist", MonotonicClock(), recording=path)
    numbers: list[int] = []
    for _ in range(3):  # the player may skip frames of a recording that it replays in real time
        before = time.monotonic_ns()
        frame = camera.read(5.0)
        numbers.append(frame.number)
        assert before <= frame.capture_ns <= time.monotonic_ns(), "an old stamp is not an age"
        decoded = simplejpeg.decode_jpeg(frame.jpeg).astype(int)
        assert abs(decoded - picture(frame.number - 100)).mean() < 6.0
    assert numbers == sorted(set(numbers)), "each frame once, in order"
    camera.close()


def test_realsense_that_is_not_there_says_what_to_check():
    from hardware.realsense import RealSense

    with pytest.raises(CameraLost, match="serial number"):
        RealSense("wrist", MonotonicClock(), serial="000000000000")


@pytest.mark.injects(FaultCode.WALL_CLOCK_JUMP)
@pytest.mark.parametrize("step_s", [3600.0, 0.3, 0.1, -0.1, -0.3, -3600.0])
def test_no_realsense_frame_looks_old_because_the_wall_clock_was_set(step_s: float) -> None:
    """Between the exposure of a frame and its arrival; then for as long as the library, which fits
    the camera's clock to the wall's, still mixes what was before and after.
    """
    from hardware.realsense import WallStamps

    stamps, age_ms, old_ms = WallStamps(), 30, 0
    wall_ms = [1_000_000 + 33 * k for k in range(3000)]
    for k, at_ms in enumerate(wall_ms):
        set_ms = round(step_s * 1e3) if k >= 10 else 0
        # The fit follows the step within 20 s.
        followed_ms = set_ms if k >= 600 else set_ms * max(k - 10, 0) // 600
        capture_ns = stamps.capture_ns(
            (at_ms + followed_ms - age_ms) * MS, now_ns=33 * k * MS, wall_ns=(at_ms + set_ms) * MS
        )
        old_ms = 33 * k - capture_ns // MS
        assert 0 <= old_ms <= age_ms, f"frame {k} looks {old_ms} ms old"
    assert old_ms == age_ms, "in the end its stamps count again"
