"""The simulated cameras: what they show, when they expose, and what they say without OpenGL."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from hardware import arm_process, arm_topics, simulation_topics
from hardware.camera import open_frames
from hardware.clock import VirtualClock, register
from hardware.sim import camera_process, topics
from hardware.sim.settings import SceneCamera
from tests.hardware.conftest import PRIORITY, hosted

MS = 1_000_000
FRAME_NS = 100 * MS
TWO = (("front", 128, 128), ("wrist", 96, 64))


def decode(jpeg: bytes) -> np.ndarray:
    return simplejpeg.decode_jpeg(jpeg).astype(int)


def share_of_red(image: np.ndarray) -> float:
    red, green, blue = np.moveaxis(image, -1, 0)
    return float(((red > 100) & (red > 2 * green) & (red > 2 * blue)).mean())


def test_lockstep_frames_show_the_scene_at_every_grid_point(memory: Path, processes: Any):
    register(memory, ("control", "camera"))
    started = hosted(memory, "lift_cube", virtual=True, cameras=TWO)
    arm = processes.start(arm_process.main, started, PRIORITY)
    camera = processes.start(camera_process.main, started.launch)
    clock = VirtualClock(memory, "control")
    front, wrist = (open_frames(memory, name) for name in ("front", "wrist"))
    images: dict[int, np.ndarray] = {}
    for k in range(1, 5):  # the instant of the start is nobody's step
        clock.grant_until_ns(k * FRAME_NS)
        assert clock.wait_until_ns(k * FRAME_NS, 60.0)
        for frames in (front, wrist):
            frame = frames.wait_captured(k * FRAME_NS, 60.0)
            assert frame is not None
            number, capture_ns, _ = frame
            assert (number, capture_ns) == (k, k * FRAME_NS), "one frame, exactly at T_k"
        newest = front.newest()
        assert newest is not None
        images[k] = decode(newest[2])
    seen = wrist.newest()
    assert seen is not None
    assert images[1].shape == (128, 128, 3)
    assert decode(seen[2]).shape == (64, 96, 3)
    for image in (images[4], decode(seen[2])):
        assert image.std() > 20.0, "a picture, not a blank"
        assert share_of_red(image) > 0.003, "the cube is in view"
    assert abs(images[4] - images[1]).mean() < 2.0, "nothing moved"

    # Nobody wants frames: time runs on without them.
    rendering = simulation_topics.open_rendering(memory)
    rendering.write(np.array((False,), simulation_topics.RENDERING))
    clock.grant_until_ns(8 * FRAME_NS)
    assert clock.wait_until_ns(8 * FRAME_NS, 60.0)
    assert front.count == 4
    rendering.write(np.array((True,), simulation_topics.RENDERING))
    simulation_topics.open_placing(memory).push(simulation_topics.place(0, 1234))
    clock.grant_until_ns(10 * FRAME_NS)
    frame = front.wait_captured(10 * FRAME_NS, 60.0)
    assert frame is not None
    assert abs(decode(frame[2]) - images[1]).mean() > 0.3, "the cube lies elsewhere"

    camera.terminate()
    camera.join(10.0)
    assert camera.exitcode == 0
    clock.grant_until_ns(13 * FRAME_NS)
    assert clock.wait_until_ns(13 * FRAME_NS, 30.0), "a camera that ended is not waited for"
    arm_topics.open_requests(memory, "supervisor").push(arm_topics.request("shutdown"))
    arm.join(10.0)
    assert arm.exitcode == 0


@pytest.mark.parametrize("task", ["lift_cube", "insert_peg"])
def test_cameras_see_different_things_in_both_qualities(task: str):
    from hardware.sim.rendering import SceneRenderer

    cameras = (SceneCamera(name="front"), SceneCamera(name="wrist"))
    snapshot = start_of(task)
    pictures: list[np.ndarray] = []
    for quality in ("fast", "pretty"):
        renderer = SceneRenderer(task, cameras, quality)
        renderer.restore(snapshot)
        pictures += [renderer.render(camera).astype(int) for camera in cameras]
        assert (renderer.render(cameras[0]) == pictures[-2]).all(), "the same scene, the same bits"
        renderer.close()
    for index, one in enumerate(pictures):
        assert one.std() > 15.0
        for other in pictures[index + 1 :]:
            assert abs(one - other).mean() > 1.0


def start_of(task: str) -> Any:
    """A snapshot of the scene as an episode begins."""
    from hardware.sim.panda import default_limits
    from hardware.sim.physics import Physics

    physics = Physics(task, default_limits(), seed=0)
    snapshot: Any = np.zeros((), topics.SNAPSHOT)
    snapshot["qpos"][: physics.model.nq] = physics.data.qpos
    snapshot["mocap"][: physics.model.nmocap, :3] = physics.data.mocap_pos
    snapshot["mocap"][: physics.model.nmocap, 3:] = physics.data.mocap_quat
    return snapshot[()]


def drawn(snapshot: Any, **differs: Any) -> dict[str, np.ndarray]:
    from hardware.sim.rendering import SceneRenderer

    cameras = (SceneCamera(name="front"), SceneCamera(name="wrist"))
    renderer = SceneRenderer("lift_cube", cameras, "fast", **differs)
    renderer.restore(snapshot)
    pictures = {camera.name: renderer.render(camera).astype(int) for camera in cameras}
    renderer.close()
    return pictures


def place_of_red(image: np.ndarray) -> np.ndarray:
    """(2,) row and column of the cube's middle, pixels."""
    red, green, blue = np.moveaxis(image, -1, 0)
    return np.argwhere((red > 80) & (red > 2 * green) & (red > 2 * blue)).mean(0)


def test_a_camera_that_was_moved_sees_the_scene_from_there():
    """2 cm to the right: what it shows comes to lie to the left, by what its lens makes of it."""
    snapshot = start_of("lift_cube")
    plain, right, up = (
        drawn(snapshot, cameras_moved_m=moved)
        for moved in ((0.0, 0.0, 0.0), (0.02, 0.0, 0.0), (0.0, 0.02, 0.0))
    )
    # The front camera stands 0.8 to 0.9 m from the cube, and 128 px of it are 34 degrees.
    metre_px = 128 / (2 * 0.85 * np.tan(np.radians(17.0)))
    moved_px = place_of_red(right["front"]) - place_of_red(plain["front"])
    assert moved_px == pytest.approx([0.0, -0.02 * metre_px], abs=1.0)
    moved_px = place_of_red(up["front"]) - place_of_red(plain["front"])
    assert moved_px == pytest.approx([0.02 * metre_px, 0.0], abs=1.0)
    # The wrist camera moves with the hand that it is on, and is much closer.
    moved_px = place_of_red(right["wrist"]) - place_of_red(plain["wrist"])
    assert moved_px[1] < -0.02 * metre_px
    assert abs(moved_px[0]) < 1.0


def test_less_light_makes_pictures_darker_by_its_colour():
    snapshot = start_of("lift_cube")
    plain, dim = drawn(snapshot), drawn(snapshot, light=(0.6, 0.6, 0.3))
    for camera, image in plain.items():
        red, green, blue = (
            dim[camera][..., colour].mean() / image[..., colour].mean() for colour in range(3)
        )
        assert red == pytest.approx(0.6, abs=0.05)
        assert green == pytest.approx(0.6, abs=0.05)
        assert blue == pytest.approx(0.3, abs=0.05)


def test_without_opengl_it_says_what_to_install(memory: Path):
    code = (
        "import sys; from pathlib import Path; from tests.hardware.conftest import hosted;"
        "sys.modules['mujoco.egl'] = None;"
        "from hardware.sim.camera_process import main;"
        "main(hosted(Path(sys.argv[1]), 'lift_cube', cameras=(('front', 64, 64),)).launch)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, memory], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == simulation_topics.CANNOT_DRAW
    assert "libegl1" in result.stderr
    assert "libgl1-mesa-dri" in result.stderr
    assert "Traceback" not in result.stderr
