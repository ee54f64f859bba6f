"""Faults of processes and of the arm: killed, frozen, stopped."""

import signal
import time

from benchmarks.fault_cell import LOOK_S, MS, FaultCell, eventually
from benchmarks.fault_parties import REFLEX
from benchmarks.fault_trial import Figure, Row, none, within
from robot_rl.daemon import topics
from robot_rl.schema.live.client_message import Clear, Stop
from robot_rl.schema.live.robot_message import StopProgress
from safety.faults import FaultCode

SLOW_M_S = 0.005
_FROZEN_S = 0.3  # the simulated cell latches after 0.25 s; a real one after 0.05 s


def _actor_lost(cell: FaultCell) -> tuple[float, ...]:
    cell.follow()
    cell.signal("actor", signal.SIGKILL)
    cell.gone("actor")
    chunk = topics.open_chunk(cell.settings.memory, cell.settings.task.action.size).read()
    ends_ns = int(chunk["valid_from_ns"]) + int(chunk["count"]) * int(chunk["dt_ns"])
    cell.watch(LOOK_S + 0.4)
    return (cell.hold_ms(ends_ns),)


def _control_lost(cell: FaultCell) -> tuple[float, ...]:
    cell.follow()
    lost_ns = cell.signal("control", signal.SIGKILL)
    cell.watch(LOOK_S)
    took_ms = cell.hold_ms(lost_ns)
    cell.gone("control")
    cell.end_policy()
    return (took_ms,)


def _control_frozen(cell: FaultCell) -> tuple[float, ...]:
    """From its going on to the latch."""
    cell.follow()
    cell.signal("control", signal.SIGSTOP)
    time.sleep(_FROZEN_S)
    went_on_ns = cell.signal("control", signal.SIGCONT)
    latched_ns = cell.watch(LOOK_S, lambda: cell.mode == "fault")
    fault = bytes(cell.control.read()["fault"]).decode()
    cell.end_policy()
    if fault != FaultCode.CONTROL_FROZEN:
        raise RuntimeError(f"control stood still and the fault is {fault!r}")
    return ((latched_ns - went_on_ns) / MS,)


def _software_stop(cell: FaultCell) -> tuple[float, ...]:
    """From the arrival of the request to the begin of braking, as control reports it."""
    cell.follow()
    asked_ns = time.monotonic_ns()
    cell.ask(Stop, client=cell.other)
    cell.watch(LOOK_S)
    cell.end_policy()
    braking = [
        each.braking_t_ns
        for each in cell.answers()
        if isinstance(each, StopProgress) and each.braking_t_ns is not None
    ]
    return ((braking[0] - asked_ns) / MS,)


def _arm_stopped(cell: FaultCell) -> tuple[float, ...]:
    """From the driver's stop in the arm's process to the latch that control publishes."""
    cell.follow()
    stopped_ns = cell.signal("arm", signal.SIGUSR1)
    latched_ns = cell.watch(LOOK_S, lambda: cell.mode == "fault")
    cell.end_policy()
    return ((latched_ns - stopped_ns) / MS if latched_ns else float("inf"),)


def _cleared_early(cell: FaultCell) -> tuple[float, ...]:
    """The arm stops itself, and what stopped it lasts: a clear is refused and says what it is."""
    cell.follow()
    cell.signal("arm", signal.SIGUSR2)
    try:
        eventually(lambda: cell.mode == "fault", "the arm's stop was not seen", 3.0)
        cell.end_policy()
        eventually(lambda: cell.speed_m_s() < SLOW_M_S, "it does not stand", 3.0)
        asked_ns = time.monotonic_ns()
        answer = cell.answer(cell.ask(Clear))
        took_ms = (time.monotonic_ns() - asked_ns) / MS
        refused = not answer.accepted and REFLEX in answer.reason and cell.mode == "fault"
    finally:
        cell.signal("arm", signal.SIGUSR2)
    return float(not refused), took_ms


ROWS = {
    FaultCode.ACTOR_LOST: Row(
        trial=_actor_lost,
        figures=(within(FaultCode.ACTOR_LOST, "end of the last chunk → TCP rests"),),
    ),
    FaultCode.CONTROL_LOST: Row(
        trial=_control_lost,
        figures=(within(FaultCode.CONTROL_LOST, "SIGKILL → TCP rests"),),
    ),
    FaultCode.CONTROL_FROZEN: Row(
        trial=_control_frozen,
        figures=(within(FaultCode.CONTROL_FROZEN, "SIGCONT → latched"),),
    ),
    FaultCode.SOFTWARE_STOP: Row(
        trial=_software_stop,
        figures=(within(FaultCode.SOFTWARE_STOP, "request → braking"),),
    ),
    FaultCode.CLEARED_EARLY: Row(
        trial=_cleared_early,
        figures=(
            none("clears let through, or refused without the cause"),
            # The arm is asked, and waited for (robot_rl/daemon/control/clear.py).
            Figure(what="clear → refused", unit="ms", bound=2000.0),
        ),
    ),
    FaultCode.ARM_STOPPED: Row(
        trial=_arm_stopped,
        figures=(within(FaultCode.ARM_STOPPED, "driver's stop → latched"),),
    ),
}
