"""The parties of the cell that `bench faults` breaks: an arm with a reflex, a policy, a person."""

import signal
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from hardware import arm_process
from hardware.arm import Arm, ArmLaunch
from hardware.arm_process import HostedArm
from robot_rl.daemon import topics
from robot_rl.daemon.devices.teleop import lost_record
from robot_rl.daemon.settings import DaemonSettings


def arm_with_a_reflex(hosted: HostedArm, priority: int) -> None:
    """The arm's process; at SIGUSR1 its driver stops it, as a vendor's reflex would."""
    opened = hosted.driver.open

    def open_arm(settings: Any, launch: ArmLaunch) -> Arm:
        arm = opened(settings, launch)
        signal.signal(signal.SIGUSR1, lambda *_: arm.brake("reflex: joint 3 met 40 Nm"))
        return arm

    arm_process.main(replace(hosted, driver=replace(hosted.driver, open=open_arm)), priority)


def scripted_policy(settings: DaemonSettings, actions: int, direction: tuple[float, ...]) -> None:
    """An actor that plans `actions` actions ahead at every step, until it is killed."""
    chunk_slot = topics.open_chunk(settings.memory, settings.task.action.size)
    control = topics.open_slot(settings.memory, "control")
    step_ns, chunk_id = settings.task.step_ns, time.monotonic_ns()
    while True:
        observed_ns = time.monotonic_ns() // step_ns * step_ns
        chunk = np.zeros((), chunk_slot.dtype)
        chunk["chunk_id"] = chunk_id = chunk_id + 1
        chunk["observation_ns"], chunk["dt_ns"], chunk["count"] = observed_ns, step_ns, actions
        chunk["valid_from_ns"] = observed_ns + settings.task.action_delay_ns
        chunk["epoch"] = control.read()["epoch"]
        chunk["risk"] = chunk["risk_threshold"] = topics.NO_CRITIC
        chunk["actions"][:actions, :3] = direction
        chunk_slot.write(chunk)
        time.sleep((observed_ns + step_ns - time.monotonic_ns()) * 1e-9)


@dataclass(slots=True)
class Hand(threading.Thread):
    """A person, 50 drives a second while `speaks`: by the keyboard, or by a `device`."""

    folder: Path
    client: UUID
    speaks: bool = False
    dead_man: bool = False
    axes: tuple[float, ...] = (0.0,) * 6
    device: bool = False
    """At the robot, and plugged in."""
    last_ns: int = 0
    """When the newest drive was written."""
    ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        threading.Thread.__init__(self, name="hand", daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        drive, control = (topics.open_slot(self.folder, name) for name in ("drive", "control"))
        local = topics.open_slot(self.folder, "local_input")
        due_s, sequence = time.monotonic(), 0
        while not self.ending.is_set():
            now_ns = time.monotonic_ns()
            if self.device:
                self._write_local(local, now_ns)
            if self.speaks and sequence % 2 == 0:
                self._write_drive(drive, control.read(), now_ns)
            sequence += 1
            due_s = max(due_s + 0.01, time.monotonic())
            time.sleep(max(due_s - time.monotonic(), 0.0))

    def unplug(self) -> int:
        """As the teleop process says of a device that is gone; when."""
        self.device = False
        now_ns = time.monotonic_ns()
        topics.open_slot(self.folder, "local_input").write(lost_record(now_ns))
        return now_ns

    def _write_local(self, slot: Any, now_ns: int) -> None:
        record = np.zeros((), topics.LOCAL_INPUT)
        record["t_ns"], record["connected"], record["device"] = now_ns, True, b"spacemouse"
        record["axes"], record["buttons"][0] = self.axes, self.dead_man
        slot.write(record)

    def _write_drive(self, slot: Any, control: Any, now_ns: int) -> None:
        record = np.zeros((), topics.DRIVE)
        record["client_id"], record["received_ns"] = np.void(self.client.bytes), now_ns
        record["sequence"], record["lease_epoch"] = now_ns, control["lease_epoch"]
        record["echo_t_ns"] = now_ns
        by_console = not self.device
        record["deadman"] = self.dead_man and by_console
        record["axes"] = self.axes if by_console else 0.0
        record["speed_scale"], record["device"] = 1.0, b"keyboard"
        slot.write(record)
        self.last_ns = now_ns
