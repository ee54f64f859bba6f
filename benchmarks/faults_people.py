"""Faults of people and their devices: who drives is lost, or two want to."""

import time

from benchmarks.fault_cell import LOOK_S, MS, FaultCell
from benchmarks.fault_trial import Row, within
from robot_rl.schema.live.client_message import AcquireLease
from robot_rl.schema.live.robot_command import ClientGone
from robot_rl.schema.live.robot_message import CommandResult
from safety.faults import FaultCode


def _operator_lost(cell: FaultCell) -> tuple[float, ...]:
    cell.drive()
    cell.hand.speaks = False
    lost_ns = time.monotonic_ns()
    cell.send("control_requests", ClientGone(client_id=cell.client))
    cell.watch(LOOK_S)
    return (cell.hold_ms(lost_ns),)


def _silence(cell: FaultCell) -> tuple[float, ...]:
    cell.drive()
    cell.hand.speaks = False
    time.sleep(0.002)
    lost_ns = cell.hand.last_ns
    cell.watch(LOOK_S)
    return (cell.hold_ms(lost_ns),)


def _two_takeovers(cell: FaultCell) -> tuple[float, ...]:
    """Both ask for the free lease at once; until the later of both answers."""
    cell.hand.speaks = True
    time.sleep(2.2)  # whose ever lease has run out by silence, or is ada's
    asked_ns = time.monotonic_ns()
    asked = [cell.ask(AcquireLease, client=client) for client in (cell.client, cell.other)]
    answers: list[CommandResult] = [cell.answer(request) for request in asked]
    took_ms = (time.monotonic_ns() - asked_ns) / MS
    if sum(answer.accepted for answer in answers) != 1:
        raise RuntimeError(f"two people, one lease: {[a.reason for a in answers]}")
    return (took_ms,)


def _device_lost(cell: FaultCell) -> tuple[float, ...]:
    cell.drive(device=True)
    lost_ns = cell.hand.unplug()
    cell.watch(LOOK_S)
    return (cell.hold_ms(lost_ns),)


ROWS = {
    FaultCode.OPERATOR_LOST: Row(
        trial=_operator_lost,
        figures=(within(FaultCode.OPERATOR_LOST, "client gone → TCP rests"),),
    ),
    FaultCode.OPERATOR_HALF_OPEN: Row(
        trial=_silence,
        figures=(within(FaultCode.OPERATOR_HALF_OPEN, "last drive → TCP rests"),),
    ),
    FaultCode.PAGE_FROZEN: Row(
        trial=_silence,
        figures=(within(FaultCode.PAGE_FROZEN, "last drive → TCP rests"),),
    ),
    FaultCode.TWO_TAKEOVERS: Row(
        trial=_two_takeovers,
        figures=(within(FaultCode.TWO_TAKEOVERS, "both ask → both are answered"),),
    ),
    FaultCode.DEVICE_LOST: Row(
        trial=_device_lost,
        figures=(within(FaultCode.DEVICE_LOST, "unplugged → TCP rests"),),
    ),
}
