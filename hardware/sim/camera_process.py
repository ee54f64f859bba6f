"""The cameras of the simulated cell: every snapshot becomes one JPEG per camera."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import simplejpeg  # pyright: ignore[reportMissingTypeStubs]

from hardware import realtime, simulation_topics
from hardware.arm import ArmLaunch, SceneLaunch
from hardware.camera import open_frames
from hardware.clock import open_clock
from hardware.memory import Record
from hardware.parent import Parent
from hardware.sim import topics
from hardware.sim.settings import SceneCamera

if TYPE_CHECKING:
    from hardware.sim.rendering import SceneRenderer

_WAIT_S = 0.2


class CameraEnded(SystemExit):
    """SIGTERM arrived."""


def main(launch: ArmLaunch) -> None:
    """Render until SIGTERM or until the supervisor is gone. Exits with CANNOT_DRAW without EGL."""

    def stop(*_: object) -> None:
        raise CameraEnded(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if launch.scene is None:
        raise ValueError("simulated cameras need a scene")
    renderer = open_renderer(launch.scene)
    try:
        SimulatedCameras(launch.folder, launch.scene, renderer).run()
    finally:
        renderer.close()


def scene_cameras(scene: SceneLaunch) -> tuple[SceneCamera, ...]:
    return tuple(
        SceneCamera(name=name, width=width, height=height) for name, width, height in scene.cameras
    )


def open_renderer(scene: SceneLaunch) -> "SceneRenderer":
    """A renderer on EGL. Exits the process with one plain sentence when there is none."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa: a thread only delays small images
    try:
        from hardware.sim.rendering import SceneRenderer

        return SceneRenderer(
            scene.name,
            scene_cameras(scene),
            "fast",
            cameras_moved_m=scene.cameras_moved_m,
            light=scene.light,
        )
    except (ImportError, AttributeError, RuntimeError) as error:  # what mujoco and PyOpenGL raise
        print(
            "The simulated cameras cannot draw: no OpenGL through EGL was found. Install the "
            f"packages libegl1 and libgl1-mesa-dri (Debian, Ubuntu). The library said: {error}",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(simulation_topics.CANNOT_DRAW) from error


class SimulatedCameras:
    """All cameras of the cell; they expose at the same instants T_k."""

    def __init__(self, folder: Path, scene: SceneLaunch, renderer: "SceneRenderer") -> None:
        self._folder, self._scene = folder, scene
        self._renderer = renderer
        self._snapshot = topics.open_snapshot(folder)
        self._rendering = simulation_topics.open_rendering(folder)
        self._frames = [
            (camera, open_frames(folder, camera.name)) for camera in scene_cameras(scene)
        ]
        self._parent = Parent()

    def run(self) -> None:
        realtime.quiet_collector()
        if self._scene.virtual:
            self._run_virtual()
        else:
            self._run_real_time()

    def wanted(self) -> bool:
        """Whether anybody wants frames now."""
        return not self._rendering.count or bool(self._rendering.read()["enabled"])

    def expose(self, snapshot: Record) -> None:
        """Publish one image per camera."""
        self._renderer.restore(snapshot)
        for camera, frames in self._frames:
            jpeg = simplejpeg.encode_jpeg(  # pyright: ignore[reportUnknownMemberType]
                self._renderer.render(camera), quality=camera.jpeg_quality, colorsubsampling="444"
            )
            frames.write(
                jpeg,
                capture_ns=int(snapshot["t_ns"]),
                width=camera.width,
                height=camera.height,
            )

    def _run_real_time(self) -> None:
        seen = 0
        while not self._parent.gone():
            if self._snapshot.wait_beyond(seen, _WAIT_S):
                seen = self._snapshot.count
                if self.wanted():
                    self.expose(self._snapshot.read())

    def _run_virtual(self) -> None:
        clock = open_clock(self._folder, virtual=True, party="camera")
        frame_ns = self._scene.step_ns
        if not self._snapshot.wait_beyond(0, 60.0):
            raise SystemExit("The simulated cameras saw no scene for 60 s: the arm did not start.")
        # Not at the instant of the start, when not everybody may have said what they want.
        due_ns = (clock.now_ns() // frame_ns + 1) * frame_ns
        try:
            clock.grant_until_ns(due_ns)
            while not self._parent.gone():
                if not clock.wait_until_ns(due_ns, _WAIT_S):
                    continue
                # Read and decided before time may go on: what is drawn is the same in every run.
                snapshot, wanted = self._snapshot.read(), self.wanted()
                due_ns += frame_ns
                # The snapshot is copied: time may run on to the next one while this one is drawn.
                clock.grant_until_ns(due_ns)
                if wanted:
                    self.expose(snapshot)
        finally:
            clock.leave()
