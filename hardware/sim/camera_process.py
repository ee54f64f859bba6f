"""The cameras of the simulated cell: every snapshot becomes one JPEG per camera."""

import os
import signal
import sys
from typing import TYPE_CHECKING

import simplejpeg  # pyright: ignore[reportMissingTypeStubs]

from hardware import realtime, simulation_topics
from hardware.camera import open_frames
from hardware.clock import open_clock
from hardware.memory import Record
from hardware.parent import Parent
from hardware.sim import topics
from hardware.sim.settings import SimSettings

if TYPE_CHECKING:
    from hardware.sim.rendering import SceneRenderer

NO_GL = 3  # exit code
_WAIT_S = 0.2


class CameraEnded(SystemExit):
    """SIGTERM arrived."""


def main(settings: SimSettings) -> None:
    """Render until SIGTERM or until the supervisor is gone. Exits with `NO_GL` without an EGL."""

    def stop(*_: object) -> None:
        raise CameraEnded(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    renderer = open_renderer(settings)
    try:
        SimulatedCameras(settings, renderer).run()
    finally:
        renderer.close()


def open_renderer(settings: SimSettings) -> "SceneRenderer":
    """A renderer on EGL. Exits the process with one plain sentence when there is none."""
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa: small images gain nothing from more
    try:
        from hardware.sim.rendering import SceneRenderer

        return SceneRenderer(settings.task, settings.cameras, settings.quality)
    except (ImportError, AttributeError, RuntimeError) as error:  # what mujoco and PyOpenGL raise
        print(
            "The simulated cameras cannot draw: no OpenGL through EGL was found. Install the "
            f"packages libegl1 and libgl1-mesa-dri (Debian, Ubuntu). The library said: {error}",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(NO_GL) from error


class SimulatedCameras:
    """All cameras of the cell; they expose at the same instants T_k."""

    def __init__(self, settings: SimSettings, renderer: "SceneRenderer") -> None:
        self._settings = settings
        self._renderer = renderer
        self._snapshot = topics.open_snapshot(settings.folder)
        self._rendering = simulation_topics.open_rendering(settings.folder)
        self._frames = [
            (camera, open_frames(settings.folder, camera.name)) for camera in settings.cameras
        ]
        self._parent = Parent()

    def run(self) -> None:
        realtime.quiet_collector()
        if self._settings.virtual:
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
        clock = open_clock(self._settings.folder, virtual=True, party="camera")
        frame_ns = self._settings.frame_dt_ns
        if not self._snapshot.wait_beyond(0, 60.0):
            raise SystemExit("The simulated cameras saw no scene for 60 s: sim_arm did not start.")
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
