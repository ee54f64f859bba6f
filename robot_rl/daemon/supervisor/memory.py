"""The daemon's shared memory, which the supervisor owns: who has spoken, who left, is the arm at
rest.
"""

import math
import os
import shutil
import time
from pathlib import Path

from hardware import arm_topics, simulation_topics
from hardware.camera import open_frames
from hardware.clock import VirtualClock, register
from hardware.memory import Slot
from robot_rl.daemon import memory_folder, topics
from robot_rl.daemon.settings import DaemonSettings
from safety.standstill import at_rest


class Memory:
    """Opened before any process runs: every reader finds its files, and all of them have room.

    Raises MemoryUnusable, OSError.
    """

    def __init__(self, settings: DaemonSettings) -> None:
        folder = settings.memory
        self._owner = memory_folder.take(folder)
        self._folder = folder
        try:
            _take_all(folder, settings)
        except BaseException:
            self.remove()
            raise
        self._control = topics.open_slot(folder, "control")
        arms = {name: arm_topics.arm_folder(folder, name) for name in settings.cell.arms}
        self._arms = {
            name: arm_topics.open_state(
                own, settings.cell.joints[name], len(settings.cell.sensors[name])
            )
            for name, own in arms.items()
        }
        self._requests = {
            name: arm_topics.open_requests(own, "supervisor") for name, own in arms.items()
        }

    def register(self, parties: tuple[str, ...]) -> None:
        """Lock-step: virtual time waits for all of them from the start."""
        register(self._folder, parties)

    def leave(self, party: str) -> None:
        """Take a dead process off the clock."""
        VirtualClock(self._folder, party).leave()

    def arm_spoke(self, name: str) -> bool:
        return self._arms[name].count > 0

    def control_spoke(self) -> bool:
        """Whether control may ever have moved the arm."""
        return self._control.count > 0

    def wait_still(self, timeout_s: float) -> bool:
        """Wait until every measured TCP speed is a hold; False after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        still = 0
        while time.monotonic() < deadline:
            rests = [at_rest(_speed_m_s(arm)) for arm in self._arms.values()]
            still = still + 1 if all(rests) else 0
            if still >= 5:
                return True
            time.sleep(0.02)
        return False

    def remove(self) -> None:
        """The last act: the memory of this daemon is given back."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._owner)

    def ask_arm_to_end(self, name: str) -> None:
        self._requests[name].push(arm_topics.request("shutdown"))


def _speed_m_s(arm: Slot) -> float:
    return math.hypot(*map(float, arm.read()["twist"][:3]))


def _take_all(folder: Path, settings: DaemonSettings) -> None:
    """Make every topic now: a process that finds memory full later could only die."""
    for name, joints in settings.cell.joints.items():
        sensors = len(settings.cell.sensors[name])
        arm_topics.make_all(arm_topics.arm_folder(folder, name), joints, sensors)
    if settings.cell.simulated:
        simulation_topics.make_all(folder)
    topics.make_all(folder, settings.task.action.size)
    for name in settings.cell.cameras:
        open_frames(folder, name)
