"""The process `teleop`: the first device at the robot PC → `local_input`, 100 times a second."""

import os
import signal
from typing import cast

from hardware.clock import open_clock
from hardware.teleop import TeleopDevice, TeleopDriver
from robot_rl.config import drivers
from robot_rl.daemon import topics
from robot_rl.daemon.devices.teleop import LocalDevice, lost_record
from robot_rl.daemon.log import Log
from robot_rl.daemon.settings import DaemonSettings

PERIOD_NS = 10_000_000


def main(settings: DaemonSettings) -> None:
    """Run until SIGTERM, or until the supervisor is gone."""
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    parent = os.getppid()
    # A person's hand moves in wall time, in lock-step too; time stamps are the robot's.
    clock = open_clock(settings.memory, virtual=settings.lockstep, party=None)
    pace = open_clock(settings.memory, virtual=False, party=None)
    slot = topics.open_slot(settings.memory, "local_input")

    chosen = settings.cell.teleop[0]
    driver = cast(TeleopDriver, drivers.find(drivers.TELEOP, chosen.driver))

    def open_device() -> TeleopDevice:
        return driver.open(chosen, clock)

    device = LocalDevice(open=open_device, log=Log(settings.log_file, "teleop").say)
    due_ns = pace.now_ns()
    try:
        while not ending and os.getppid() == parent:
            slot.write(device.sample(clock.now_ns()))
            due_ns = max(due_ns + PERIOD_NS, pace.now_ns())
            pace.wait_until_ns(due_ns)
    finally:
        device.close()
        slot.write(lost_record(clock.now_ns()))
