"""The robot's time for whoever holds the lease, at 50 Hz, on a deadline of its own."""

import asyncio
import time
from uuid import UUID

from hardware.clock import Clock
from hardware.memory import Slot
from robot_rl.daemon.link.mailbox import LiveOutbound
from robot_rl.schema.live.robot_message import RobotTime

PERIOD_S = 0.02
_NOBODY = bytes(16)


async def run_echo(control: Slot, clock: Clock, mailbox: LiveOutbound) -> None:
    """For ever: the newest time takes the place of one that a slow socket has not taken yet."""
    due_s = time.monotonic()
    while True:
        holder = _holder(control)
        if holder is not None:
            mailbox.show("robot_time", RobotTime(t_ns=clock.now_ns(), client_id=holder))
        due_s = max(due_s + PERIOD_S, time.monotonic())  # missed ones are not caught up
        await asyncio.sleep(due_s - time.monotonic())


def _holder(control: Slot) -> UUID | None:
    """The client that holds the lease, as control says."""
    client = bytes(control.read()["lease_client"])
    return None if client == _NOBODY else UUID(bytes=client)
