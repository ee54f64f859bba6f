"""Real cameras in the robot PC: a process of their own, the same memory as the simulated ones.

A webcam is played from a video file, through the driver and the process that a camera would use.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from hardware.camera import FRAME_BYTES, Camera, CameraFrame, CameraLost, open_frames
from hardware.clock import MonotonicClock
from hardware.realsense import RealSenseSettings
from hardware.webcam import WebcamSettings
from robot_rl.config import Cell, load_cell, load_task
from robot_rl.daemon.actor.sensors import Sensors
from robot_rl.daemon.devices.camera_process import CameraFeed, main
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.processes import needed
from robot_rl.daemon.supervisor.supervisor import Daemon
from safety.faults import FaultCode

SIDE = WebcamSettings(driver="webcam", device="/dev/video99")


def cell_with(**cameras: WebcamSettings | RealSenseSettings) -> Cell:
    cell = load_cell("simulation")
    return cell.model_copy(update={"cameras": {**cell.cameras, **cameras}})


def settings_in(folder: Path, cell: Cell) -> DaemonSettings:
    return DaemonSettings(cell=cell, task=load_task("lift_cube"), data_folder=folder)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three seconds of 64 × 48 pictures, each greyer than the last."""
    import cv2

    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
    for index in range(90):
        writer.write(np.full((48, 64, 3), 2 * index, np.uint8))
    writer.release()
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


class Scripted:
    """A camera that delivers these frames, and then is unplugged."""

    name = "front"

    def __init__(self, *frames: CameraFrame) -> None:
        self.left, self.closed = list(frames), False

    def read(self, timeout_s: float) -> CameraFrame:
        if not self.left:
            raise CameraLost("Camera front: unplugged")
        return self.left.pop(0)

    def close(self) -> None:
        self.closed = True


def frame(number: int, *, capture_ns: int = 0, jpeg: bytes = b"x") -> CameraFrame:
    return CameraFrame(number=number, capture_ns=capture_ns, jpeg=jpeg, width=1, height=1)


def feed(memory: Path, camera: Camera, said: list[str]) -> CameraFeed:
    return CameraFeed(open=lambda: camera, frames=open_frames(memory, "front"), log=said.append)


def eventually(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_every_real_camera_has_a_row_of_its_own(tmp_path: Path) -> None:
    wrist = RealSenseSettings(driver="realsense", serial="1")
    settings = settings_in(tmp_path, cell_with(side=SIDE, wrist=wrist))
    rows = {entry.name: entry for entry in needed(settings)}
    assert {"camera", "camera_side", "camera_wrist"} <= set(rows)
    assert [c[0] for c in rows["camera"].argument(settings).scene.cameras] == ["front"]
    started = rows["camera_wrist"].argument(settings)
    assert (started.name, started.settings.serial) == ("wrist", "1")
    only_real = settings.cell.model_copy(update={"cameras": {"front": SIDE, "wrist": wrist}})
    assert "camera" not in {entry.name for entry in needed(settings_in(tmp_path, only_real))}


@pytest.mark.injects(FaultCode.CAMERA_REPEATS)
def test_a_repeated_frame_is_not_published_as_a_new_one(memory: Path) -> None:
    camera = Scripted(*(frame((n + 2) // 2, capture_ns=n) for n in range(8)))
    with pytest.raises(CameraLost):
        feed(memory, camera, []).publish(lambda: False)
    frames = open_frames(memory, "front")
    assert frames.count == 4
    assert frames.newest() == (4, 6, b"x")
    assert camera.closed


def test_a_picture_that_is_too_large_is_refused_with_what_to_do(memory: Path) -> None:
    camera = Scripted(frame(1, jpeg=bytes(FRAME_BYTES + 1)))
    with pytest.raises(CameraLost, match=r"1×1 takes 1024 KiB.*Lower its width"):
        feed(memory, camera, []).publish(lambda: False)
    assert open_frames(memory, "front").count == 0


def test_a_camera_that_is_away_is_told_once_and_comes_back(memory: Path) -> None:
    said: list[str] = []
    tries: list[int] = []

    def find() -> Camera:
        tries.append(len(tries))
        if len(tries) < 3:
            raise CameraLost("Camera front: not plugged in")
        return Scripted(frame(1))

    frames = open_frames(memory, "front")
    CameraFeed(open=find, frames=frames, log=said.append).run(lambda: frames.count > 0)
    assert said == ["Camera front: not plugged in", "Camera front delivers images of 1×1."]


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.injects(FaultCode.CAMERA_LOST)
def test_the_daemon_publishes_a_webcam_and_its_loss_leaves_the_policy_blind(
    tmp_path: Path, video: Path
) -> None:
    cell = cell_with(
        side=WebcamSettings(driver="webcam", device=str(video)),
        back=RealSenseSettings(driver="realsense", serial="000000000000"),
    )
    settings = settings_in(tmp_path / "data", cell)
    daemon = Daemon(settings)
    daemon.start()
    try:
        side = open_frames(settings.memory, "side")
        eventually(lambda: side.count >= 3, "the webcam delivers nothing")
        newest = side.newest()
        assert newest is not None
        number, capture_ns, jpeg = newest
        assert number >= 3
        assert 0 <= time.monotonic_ns() - capture_ns < 60_000_000_000
        assert simplejpeg.decode_jpeg(jpeg).shape == (48, 64, 3)
        eyes = Sensors(
            settings.memory, MonotonicClock(), joints={"arm": 7}, sensors={"arm": ()},
            cameras=("side",), stale_s=cell.stale_camera_s, wait_s=0.0, simulated=True, judged=True,
        )  # fmt: skip
        eventually(lambda: not eyes.lost(), "its frames are never fresh")

        video.unlink()  # at the end of the film the camera cannot be opened any more
        eventually(eyes.lost, "the frames of a lost camera stay fresh")
        said = settings.log_file.read_text
        eventually(lambda: "could not be opened" in said(), "nobody says that it is away")
        assert "no RealSense with the serial number '000000000000'" in said()
        assert {"camera_side", "camera_back", "camera"} <= set(daemon.pids())

        os.kill(daemon.pids()["camera_side"], signal.SIGKILL)
        eventually(lambda: '"restarts": 1' in said(), "its process is not started again")
    finally:
        daemon.stop()
    assert daemon.failure is None
    assert "killed" not in said()


def test_virtual_time_waits_for_no_real_camera(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="side of the cell simulation is a real one"):
        DaemonSettings(
            cell=cell_with(side=SIDE),
            task=load_task("lift_cube"),
            data_folder=tmp_path,
            lockstep=True,
        )


def test_the_process_ends_when_asked(tmp_path: Path, memory: Path) -> None:
    """Also while it looks for a camera that is not there."""
    import multiprocessing

    settings = settings_in(tmp_path, cell_with(side=SIDE))
    row = next(entry for entry in needed(settings) if entry.name == "camera_side")
    settings.memory.mkdir()
    try:
        process = multiprocessing.get_context("spawn").Process(
            target=main, args=(row.argument(settings),)
        )
        process.start()
        eventually(settings.log_file.exists, "it says nothing")
        process.terminate()
        process.join(20)
        assert process.exitcode == 0
        assert settings.log_file.read_text().count("plugged in") == 1
    finally:
        for file in settings.memory.iterdir():
            file.unlink()
        settings.memory.rmdir()
