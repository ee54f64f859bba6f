"""Images of the simulated scene from a snapshot of it, drawn through EGL without a display.

The GL context is made here rather than by `mujoco.Renderer`, whose choice of platform depends on
an environment variable at the time MuJoCo was first imported.
Importing this module fails where there is no EGL.
"""

from collections.abc import Sequence

import mujoco
import numpy as np
from mujoco.egl import GLContext  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from hardware.memory import Record
from hardware.sim import scene
from hardware.sim.settings import Quality, SceneCamera

_MAX_GEOMS = 1000
_SHADOWS = int(mujoco.mjtRndFlag.mjRND_SHADOW)
_REFLECTIONS = int(mujoco.mjtRndFlag.mjRND_REFLECTION)


class SceneRenderer:
    """Draws one task's scene. Owns a GL context: use it from one thread, and close it."""

    def __init__(
        self,
        task: str,
        cameras: tuple[SceneCamera, ...],
        quality: Quality,
        *,
        cameras_moved_m: Sequence[float] = (0.0, 0.0, 0.0),
        light: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        """`cameras_moved_m` (3,) right, up and back in each one's picture; `light` (3,) what is
        left of red, green and blue.
        """
        self._model, _ = scene.build(task, quality=quality)
        _move_cameras(self._model, np.array(cameras_moved_m, dtype=np.float64))
        _change_light(self._model, np.array(light, dtype=np.float64))
        self._data = mujoco.MjData(self._model)
        width = max(camera.width for camera in cameras)
        height = max(camera.height for camera in cameras)
        buffer = self._model.vis.global_
        buffer.offwidth, buffer.offheight = width, height
        self._gl = GLContext(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(self._model, _MAX_GEOMS)
        # Shadows cost ten times the rest of the frame on a software rasteriser.
        self._scene.flags[_SHADOWS] = self._scene.flags[_REFLECTIONS] = 0
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = 0
        for group in scene.drawn_groups(quality):
            self._option.geomgroup[group] = 1
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._no_drag = mujoco.MjvPerturb()

    def restore(self, snapshot: Record) -> None:
        """Put the scene in the state of a `topics.SNAPSHOT`."""
        model, data = self._model, self._data
        data.qpos[:] = snapshot["qpos"][: model.nq]
        data.mocap_pos[:] = snapshot["mocap"][: model.nmocap, :3]
        data.mocap_quat[:] = snapshot["mocap"][: model.nmocap, 3:]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)

    def render(self, camera: SceneCamera) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of the restored scene."""
        self._view.fixedcamid = self._model.camera(camera.name).id
        mujoco.mjv_updateScene(
            self._model,
            self._data,
            self._option,
            self._no_drag,
            self._view,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        area = mujoco.MjrRect(0, 0, camera.width, camera.height)
        mujoco.mjr_render(area, self._scene, self._context)
        image = np.empty((camera.height, camera.width, 3), np.uint8)
        mujoco.mjr_readPixels(image, None, area, self._context)
        return np.ascontiguousarray(image[::-1])  # OpenGL's first row is the lowest

    def close(self) -> None:
        self._context.free()
        self._gl.free()


def _move_cameras(model: mujoco.MjModel, moved_m: NDArray[np.float64]) -> None:
    """Each by the same (3,) of its own axes, on what it is fixed to."""
    for camera in range(model.ncam):
        offset_m = np.zeros(3)
        mujoco.mju_rotVecQuat(offset_m, moved_m, model.cam_quat[camera])
        model.cam_pos[camera] += offset_m


def _change_light(model: mujoco.MjModel, left: NDArray[np.float64]) -> None:
    """Every lamp gives the share `left` (3,) of its red, green and blue."""
    for lamp in (model.light_ambient, model.light_diffuse, model.light_specular):
        lamp *= left
    headlight = model.vis.headlight
    for name in ("ambient", "diffuse", "specular"):
        setattr(headlight, name, np.array(getattr(headlight, name)) * left)
