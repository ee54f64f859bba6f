"""The parties of the cell that `bench faults` breaks: an arm with a reflex, a policy, a person."""

import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from hardware import arm_process
from hardware.arm import Arm, ArmLaunch
from hardware.arm_process import HostedArm
from hardware.clock import Clock
from hardware.memory import Records
from robot_rl.daemon import topics
from robot_rl.daemon.control import process as control_process
from robot_rl.daemon.devices.teleop import lost_record
from robot_rl.daemon.settings import DaemonSettings

REFLEX = "reflex: joint 3 met 40 Nm"


def arm_with_a_reflex(hosted: HostedArm, priority: int) -> None:
    """The arm's process. At SIGUSR1 its driver stops it, as a vendor's reflex would; at SIGUSR2 by
    a cause that lasts until the next SIGUSR2: it cannot be cleared.
    """
    opened = hosted.driver.open

    def open_arm(settings: Any, launch: ArmLaunch) -> Arm:
        arm = opened(settings, launch)
        clear = arm.clear
        lasts = [False]

        def meet(*_: object) -> None:
            lasts[0] = not lasts[0]
            if lasts[0]:
                arm.brake(REFLEX)

        arm.clear = lambda: REFLEX if lasts[0] else clear()
        signal.signal(signal.SIGUSR1, lambda *_: arm.brake(REFLEX))
        signal.signal(signal.SIGUSR2, meet)
        return arm

    arm_process.main(replace(hosted, driver=replace(hosted.driver, open=open_arm)), priority)


class _NoSolver:
    """It finds no plan."""

    def reset(self) -> None:
        """There is nothing to forget."""

    def update(self, *_: object) -> int:
        return -1


def control_with_a_weak_solver(
    settings: DaemonSettings, priority: int, broken_ns: "Synchronized[int]"
) -> None:
    """Control's process; at SIGUSR1 its solver finds no plan any more, and `broken_ns` says since
    when; at SIGUSR2 it works again.
    """

    class Loop(control_process.ControlLoop):
        def __init__(self, settings: DaemonSettings, clock: Clock) -> None:
            super().__init__(settings, clock)
            trackers = [channel.gate._tracker for channel in self.controller.channels]
            whole = [tracker.solver for tracker in trackers]

            def use(solvers: list[Any]) -> None:
                for tracker, solver in zip(trackers, solvers, strict=True):
                    tracker.solver = solver
                broken_ns.value = clock.now_ns()

            signal.signal(signal.SIGUSR1, lambda *_: use([_NoSolver()] * len(trackers)))
            signal.signal(signal.SIGUSR2, lambda *_: use(whole))

    control_process.ControlLoop = Loop
    control_process.main(settings, priority)


def new_chunk(
    settings: DaemonSettings, actions: Sequence[Sequence[float]], *, epoch: int
) -> Records:
    """What a policy plans that looks at the newest instant of the grid."""
    step_ns, columns = settings.task.step_ns, settings.task.action.size
    observed_ns = time.monotonic_ns() // step_ns * step_ns
    chunk = np.zeros((), topics.chunk_type(columns))
    chunk["chunk_id"] = time.monotonic_ns()
    chunk["observation_ns"], chunk["dt_ns"], chunk["count"] = observed_ns, step_ns, len(actions)
    chunk["valid_from_ns"] = observed_ns + settings.task.action_delay_ns
    chunk["epoch"] = epoch
    chunk["risk"] = chunk["risk_threshold"] = topics.NO_CRITIC
    chunk["actions"][: len(actions)] = actions
    return chunk


def scripted_policy(settings: DaemonSettings, actions: int, direction: tuple[float, ...]) -> None:
    """An actor that plans `actions` actions ahead at every step, until it is killed."""
    columns, step_ns = settings.task.action.size, settings.task.step_ns
    slot = topics.open_chunk(settings.memory, columns)
    control = topics.open_slot(settings.memory, "control")
    action = (*direction, *[0.0] * (columns - len(direction)))
    while True:
        slot.write(new_chunk(settings, [action] * actions, epoch=int(control.read()["epoch"])))
        now_ns = time.monotonic_ns()
        time.sleep((now_ns // step_ns * step_ns + step_ns - now_ns) * 1e-9)


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
    epochs_behind: int = 0
    """What it says is of a lease so much older."""
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
        record["sequence"] = now_ns
        record["lease_epoch"] = control["lease_epoch"] - self.epochs_behind
        record["echo_t_ns"] = now_ns
        by_console = not self.device
        record["deadman"] = self.dead_man and by_console
        record["axes"] = self.axes if by_console else 0.0
        record["speed_scale"], record["device"] = 1.0, b"keyboard"
        slot.write(record)
        self.last_ns = now_ns
