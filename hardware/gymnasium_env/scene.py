"""What the arm's process publishes of a gymnasium environment. Implements `hardware.arm.Scene`."""

import numpy as np
import simplejpeg  # pyright: ignore[reportMissingTypeStubs]

from hardware import simulation_topics
from hardware.arm import ArmLaunch, SceneLaunch
from hardware.camera import open_frames
from hardware.gymnasium_env.arm import GymnasiumArm

_JPEG_QUALITY = 90


class GymnasiumScene:
    """Resets the environment, and tells its success, its objects and its images."""

    def __init__(self, arm: GymnasiumArm, launch: ArmLaunch, scene: SceneLaunch) -> None:
        self._arm = arm
        self._truth = simulation_topics.open_truth(launch.folder)
        self._rendering = simulation_topics.open_rendering(launch.folder)
        self._frames = {name: open_frames(launch.folder, name) for name, _, _ in scene.cameras}
        self._seed, self._resets = scene.seed, 1
        self._start, self._open = arm.start

    def place(self, seed: int, *, with_arm: bool) -> None:
        del with_arm  # a reset puts the environment's arm at its start in any case
        self._arm.place(seed)
        self._seed, self._resets = seed, self._resets + 1
        self._start, self._open = self._arm.start

    def show(self, now_ns: int) -> None:
        answer = self._arm.answer
        if self._rendering.count and not self._rendering.read()["enabled"]:
            return
        for name, image in answer.images.items():
            height, width, _ = image.shape
            jpeg = simplejpeg.encode_jpeg(  # pyright: ignore[reportUnknownMemberType]
                np.ascontiguousarray(image), quality=_JPEG_QUALITY, colorsubsampling="444"
            )
            self._frames[name].write(jpeg, capture_ns=now_ns, width=width, height=height)

    def tell(self, now_ns: int) -> None:
        answer, arm = self._arm.answer, self._arm
        truth = np.zeros((), simulation_topics.TRUTH)
        truth["t_ns"], truth["seed"], truth["resets"] = now_ns, self._seed, self._resets
        truth["start_position"] = self._start.position_m
        truth["start_quaternion"] = self._start.quaternion
        truth["start_gripper"] = float(self._open)
        values, no_success = answer.values, not arm.success
        truth["success"] = arm.success
        truth["failed"] = no_success and answer.terminated
        truth["truncated"] = no_success and answer.truncated
        share = values["progress"][0] if "progress" in values else float(arm.success)
        truth["progress"] = np.clip(share, 0.0, 1.0)
        truth["objects"] = len(arm.settings.objects)
        for index, name in enumerate(arm.settings.objects):
            pose = values[f"object {name}"]
            truth["names"][index] = name.encode()
            truth["poses"][index, 3] = 1.0
            truth["poses"][index, : len(pose)] = pose
        self._truth.write(truth)
