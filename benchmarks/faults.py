"""How soon the robot holds, or is latched, after each fault that has a bound in milliseconds.

The simulated cell runs in real time: arm and control are processes of their own, killed, stopped
and continued by signals. A hold is when the TCP that the simulator measures is slower than 5 mm/s
and stays so. Each bound is the one of `safety/faults.py`.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.fault_cell import MS, FaultCell, Spoilt, fault_cell
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from robot_rl.daemon import topics
from robot_rl.errors import PlainError
from robot_rl.schema.live.client_message import AcquireLease, Stop
from robot_rl.schema.live.robot_command import ClientGone
from robot_rl.schema.live.robot_message import CommandResult, StopProgress
from safety.faults import FAULTS, FaultCode, bound_ms

REPEATS = 10
_TRIES = 4  # of a trial that a busy machine spoils
_LOOK_S = 0.8
_FROZEN_S = 0.3  # the simulated cell latches after 0.25 s; a real one after 0.05 s


def _operator_lost(cell: FaultCell) -> float:
    cell.drive()
    cell.hand.speaks = False
    lost_ns = time.monotonic_ns()
    cell.send("control_requests", ClientGone(client_id=cell.client))
    cell.watch(_LOOK_S)
    return cell.hold_ms(lost_ns)


def _silence(cell: FaultCell) -> float:
    cell.drive()
    cell.hand.speaks = False
    time.sleep(0.002)
    lost_ns = cell.hand.last_ns
    cell.watch(_LOOK_S)
    return cell.hold_ms(lost_ns)


def _two_takeovers(cell: FaultCell) -> float:
    """Both ask for the free lease at once; until the later of both answers."""
    cell.hand.speaks = True
    time.sleep(2.2)  # whose ever lease has run out by silence, or is ada's
    asked_ns = time.monotonic_ns()
    asked = [cell.ask(AcquireLease, client=client) for client in (cell.client, cell.other)]
    answers: list[CommandResult] = [cell.answer(request) for request in asked]
    took_ms = (time.monotonic_ns() - asked_ns) / MS
    if sum(answer.accepted for answer in answers) != 1:
        raise RuntimeError(f"two people, one lease: {[a.reason for a in answers]}")
    return took_ms


def _actor_lost(cell: FaultCell) -> float:
    cell.follow()
    cell.signal("actor", signal.SIGKILL)
    cell.gone("actor")
    chunk = topics.open_chunk(cell.settings.memory, cell.settings.task.action.size).read()
    ends_ns = int(chunk["valid_from_ns"]) + int(chunk["count"]) * int(chunk["dt_ns"])
    cell.watch(_LOOK_S + 0.4)
    return cell.hold_ms(ends_ns)


def _control_lost(cell: FaultCell) -> float:
    cell.follow()
    lost_ns = cell.signal("control", signal.SIGKILL)
    cell.watch(_LOOK_S)
    took_ms = cell.hold_ms(lost_ns)
    cell.gone("control")
    cell.end_policy()
    return took_ms


def _control_frozen(cell: FaultCell) -> float:
    """From its going on to the latch."""
    cell.follow()
    cell.signal("control", signal.SIGSTOP)
    time.sleep(_FROZEN_S)
    went_on_ns = cell.signal("control", signal.SIGCONT)
    latched_ns = cell.watch(_LOOK_S, lambda: cell.mode == "fault")
    fault = bytes(cell.control.read()["fault"]).decode()
    cell.end_policy()
    if fault != FaultCode.CONTROL_FROZEN:
        raise RuntimeError(f"control stood still and the fault is {fault!r}")
    return (latched_ns - went_on_ns) / MS


def _software_stop(cell: FaultCell) -> float:
    """From the arrival of the request to the begin of braking, as control reports it."""
    cell.follow()
    asked_ns = time.monotonic_ns()
    cell.ask(Stop, client=cell.other)
    cell.watch(_LOOK_S)
    cell.end_policy()
    braking = [
        each.braking_t_ns
        for each in cell.answers()
        if isinstance(each, StopProgress) and each.braking_t_ns is not None
    ]
    return (braking[0] - asked_ns) / MS


def _arm_stopped(cell: FaultCell) -> float:
    """From the driver's stop in the arm's process to the latch that control publishes."""
    cell.follow()
    stopped_ns = cell.signal("arm", signal.SIGUSR1)
    latched_ns = cell.watch(_LOOK_S, lambda: cell.mode == "fault")
    cell.end_policy()
    return (latched_ns - stopped_ns) / MS if latched_ns else float("inf")


def _device_lost(cell: FaultCell) -> float:
    cell.drive(device=True)
    lost_ns = cell.hand.unplug()
    cell.watch(_LOOK_S)
    return cell.hold_ms(lost_ns)


@dataclass(frozen=True, slots=True)
class _Row:
    trial: Callable[[FaultCell], float]
    measured: str


ROWS = {
    FaultCode.OPERATOR_LOST: _Row(_operator_lost, "client gone → TCP rests"),
    FaultCode.OPERATOR_HALF_OPEN: _Row(_silence, "last drive → TCP rests"),
    FaultCode.PAGE_FROZEN: _Row(_silence, "last drive → TCP rests"),
    FaultCode.TWO_TAKEOVERS: _Row(_two_takeovers, "both ask → both are answered"),
    FaultCode.ACTOR_LOST: _Row(_actor_lost, "end of the last chunk → TCP rests"),
    FaultCode.CONTROL_LOST: _Row(_control_lost, "SIGKILL → TCP rests"),
    FaultCode.CONTROL_FROZEN: _Row(_control_frozen, "SIGCONT → latched"),
    FaultCode.SOFTWARE_STOP: _Row(_software_stop, "request → braking"),
    FaultCode.ARM_STOPPED: _Row(_arm_stopped, "driver's stop → latched"),
    FaultCode.DEVICE_LOST: _Row(_device_lost, "unplugged → TCP rests"),
}
NOT_MEASURED = {
    FaultCode.OLD_EPOCH: "counted in ticks",
    FaultCode.ACTION_INVALID: "counted in ticks",
    FaultCode.CRITIC_INVALID: "counted in decisions",
    FaultCode.LIMITER_FAILED: "counted in ticks; no process outside control can break its solver",
    FaultCode.CAMERA_LOST: "needs an actor with a policy",
    FaultCode.CAMERA_REPEATS: "needs an actor with a policy",
}
"""Rows with a bound that this benchmark leaves to the tests (tests/faults), on virtual time."""


def run(*, quick: bool = False, faults: str | None = None, repeats: int | None = None) -> Result:
    """`faults`: numbers of rows, with commas. `repeats`: of each. Raises PlainError."""
    chosen, count = _chosen(faults), repeats or (1 if quick else REPEATS)
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    took: dict[FaultCode, list[float]] = {code: [] for code in chosen}
    spoilt, gap_ms = 0, 0.0
    with fault_cell() as cell:
        for _ in range(count):  # row by row in turn: what else the machine does meets all of them
            for code in chosen:
                value, failed = _trial(cell, ROWS[code].trial)
                spoilt += failed
                if value is not None:
                    took[code].append(value)
                    gap_ms = max(gap_ms, cell.gap_ms() if cell.samples else 0.0)
    spreads = {code: Spread.of(values) for code, values in took.items() if values}
    detail: dict[str, Spread | float | int | str] = {
        f"{FAULTS[code].number} {code}: {ROWS[code].measured}, ms": spread
        for code, spread in spreads.items()
    }
    detail |= {f"{FAULTS[code].number} {code}": why for code, why in _left_out(took).items()}
    detail |= {
        "trials that a busy machine spoilt before their fault": spoilt,
        "longest time between two looks at the arm, ms": gap_ms,
        "load at the end, 1 min": os.getloadavg()[0],
        "noise before: processor taken away, µs": noise,
    }
    return Result(
        bench="faults",
        machine=machine,
        targets=tuple(
            Target(
                name=f"{FAULTS[code].number} {code}, largest",
                value=spread.largest,
                unit="ms",
                op="<=",
                target=bound_ms(code),
            )
            for code, spread in spreads.items()
        ),
        detail=detail,
    )


def _chosen(faults: str | None) -> list[FaultCode]:
    numbers = {str(FAULTS[code].number): code for code in ROWS}
    if faults is None:
        return list(ROWS)
    wanted = [each.strip() for each in faults.split(",") if each.strip()]
    for each in wanted:
        if each not in numbers:
            raise PlainError(f"fault {each!r} cannot be timed; choose from: {', '.join(numbers)}")
    return [numbers[each] for each in wanted]


def _left_out(took: dict[FaultCode, list[float]]) -> dict[FaultCode, str]:
    spoilt = {code: "every trial was spoilt" for code, values in took.items() if not values}
    reasons = {code: f"not measured: {why}" for code, why in NOT_MEASURED.items()}
    return spoilt | reasons


def _trial(cell: FaultCell, trial: Callable[[FaultCell], float]) -> tuple[float | None, int]:
    """What it took, ms, and how many tries were spoilt before."""
    for spoilt in range(_TRIES):
        try:
            cell.rest()
            return trial(cell), spoilt
        except Spoilt:
            if "actor" in cell.processes:
                cell.end_policy()
    return None, _TRIES
