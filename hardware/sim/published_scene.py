"""What the simulated arm's process publishes of its scene, for cameras and scripted operators."""

from pathlib import Path

import numpy as np

from hardware import simulation_topics
from hardware.sim import topics
from hardware.sim.fast_loop import FastLoop
from hardware.sim.gripper import MAX_OPENING_M
from hardware.sim.kinematics import downward
from hardware.sim.tasks import body_pose


class PublishedScene:
    """Implements `hardware.arm.Scene`."""

    def __init__(self, loop: FastLoop, folder: Path) -> None:
        self._loop, self._physics = loop, loop.physics
        model = loop.physics.model
        if model.nq > topics.MAX_QPOS or model.nmocap > topics.MAX_MOCAP:
            raise ValueError("the scene does not fit into a snapshot record")
        self._snapshot_slot = topics.open_snapshot(folder)
        self._truth_slot = simulation_topics.open_truth(folder)

    def place(self, seed: int, *, with_arm: bool) -> None:
        self._loop.reset(seed, with_arm=with_arm)

    def show(self, now_ns: int) -> None:
        data, model = self._physics.data, self._physics.model
        snapshot = np.zeros((), topics.SNAPSHOT)
        snapshot["t_ns"] = now_ns
        snapshot["qpos"][: model.nq] = data.qpos
        snapshot["mocap"][: model.nmocap, :3] = data.mocap_pos
        snapshot["mocap"][: model.nmocap, 3:] = data.mocap_quat
        self._snapshot_slot.write(snapshot)

    def tell(self, now_ns: int) -> None:
        physics = self._physics
        judged, start = physics.judge(), physics.start_pose()
        held = physics.task.held_at_start is not None
        truth = np.zeros((), simulation_topics.TRUTH)
        truth["t_ns"], truth["seed"], truth["resets"] = now_ns, physics.seed, physics.resets
        truth["success"], truth["progress"] = judged.success, judged.progress
        truth["held"], truth["measure_m"] = judged.held, judged.measure_m
        truth["objects"] = len(physics.task.objects)
        for index, name in enumerate(physics.task.objects):
            truth["names"][index] = name.encode()
            truth["poses"][index] = np.concatenate(body_pose(physics.data, name))
        truth["start_position"] = start.position_m
        truth["start_quaternion"] = downward(start.yaw_rad)
        truth["start_gripper"] = 0.0 if held else start.opening_m / MAX_OPENING_M
        self._truth_slot.write(truth)
