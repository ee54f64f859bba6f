"""Whether a change of driver bumps: arm and control as processes, and every command and measurement
as the arm sees it.
"""

import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from pydantic import TypeAdapter

from benchmarks.fault_cell import FaultCell, fault_cell
from benchmarks.fault_trial import Spoilt
from benchmarks.watcher import watching
from hardware import arm_topics
from robot_rl.daemon import messages
from robot_rl.schema.live.client_message import EndTakeover, Takeover
from safety import rotation

FREE, PRESSING = "lift_cube", "insert_peg"
_ACCOUNT_S = 0.35  # after a change: twice its account
_EVENTS: TypeAdapter[messages.ControlEvent] = TypeAdapter(messages.ControlEvent)


@dataclass(slots=True)
class Bumps:
    """Of each change: the largest of what followed."""

    jump_mm: list[float] = field(default_factory=list[float])
    jump_deg: list[float] = field(default_factory=list[float])
    torque_nm_ms: list[float] = field(default_factory=list[float])
    force_n: list[float] = field(default_factory=list[float])
    told_mm: float = 0.0
    unseen: int = 0
    spoilt: int = 0


class _Sampler:
    """Every command and every measurement of the arm, as far as it gets to see them."""

    def __init__(self, cell: FaultCell) -> None:
        shared, joints = cell.settings.memory, cell.settings.cell.joints["arm"]
        self._command = arm_topics.open_command(shared)
        self._arm = arm_topics.open_state(shared, joints)
        self.commands: list[tuple[int, np.ndarray, np.ndarray]] = []
        self.arms: list[tuple[int, np.ndarray, float]] = []

    def look(self) -> bool:
        """Never enough."""
        command, arm = self._command.read(), self._arm.read()
        number, tick = int(command["sequence"]), int(arm["t_ns"])
        if not self.commands or number != self.commands[-1][0]:
            pose = np.array(command["position"]), np.array(command["quaternion"])
            self.commands.append((number, *pose))
        if not self.arms or tick != self.arms[-1][0]:
            force_n = math.hypot(*arm["wrench"][:3].tolist())
            self.arms.append((tick, np.array(arm["torque"]), force_n))
        return False


def bumps(task: str, changes: int, *, load: bool) -> Bumps:
    found = Bumps()
    with fault_cell(task) as cell, _busy() if load else nullcontext():
        for _ in range(changes):
            for trial in (_to_person, _to_policy):
                try:
                    _change(cell, trial, found)
                except Spoilt:
                    found.spoilt += 1
                finally:
                    cell.end_policy()
    return found


def _change(
    cell: FaultCell, trial: Callable[[FaultCell], Callable[[], UUID]], found: Bumps
) -> None:
    """One change of driver, from rest at the start pose."""
    cell.rest()
    hand_over = trial(cell)
    cell.events(_EVENTS)
    sampler = _Sampler(cell)
    with watching(sampler.look, 0.0005):
        time.sleep(0.05)
        answer = cell.answer(hand_over())
        time.sleep(_ACCOUNT_S)
    if not answer.accepted:
        raise Spoilt(answer.reason)
    found.force_n.append(sampler.arms[0][2])
    jumps = [
        _jump(*three) for three in zip(*(sampler.commands[i:] for i in range(3)), strict=False)
    ]
    seen = [jump for jump in jumps if jump is not None]
    found.unseen += len(jumps) - len(seen)
    found.jump_mm.append(max(jump[0] for jump in seen))
    found.jump_deg.append(max(jump[1] for jump in seen))
    steps = zip(sampler.arms, sampler.arms[1:], strict=False)
    found.torque_nm_ms.append(
        max(
            float(np.abs(torque - before).max()) / ((t_ns - before_ns) * 1e-6)
            for (before_ns, before, _), (t_ns, torque, _) in steps
        )
    )
    told = [
        event.figures.jump_m * 1e3
        for event in cell.events(_EVENTS)
        if isinstance(event, messages.HandoverMeasured)
    ]
    found.told_mm = max(found.told_mm, *told, 0.0)


def _jump(*three: tuple[int, np.ndarray, np.ndarray]) -> tuple[float, float] | None:
    """mm and degrees by which the third of three commands departs from the motion of the first two;
    None when one between them was not seen.
    """
    (first, x0, q0), (_, x1, q1), (last, x2, q2) = three
    if last - first != 2:
        return None
    turn = rotation.minus(q2, q1) - rotation.minus(q1, q0)
    return float(np.linalg.norm(x2 - 2 * x1 + x0)) * 1e3, math.degrees(float(np.linalg.norm(turn)))


def _to_person(cell: FaultCell) -> Callable[[], UUID]:
    """The policy drives; the person takes over, and drives elsewhere."""
    cell.hold_lease()
    cell.follow(_direction(cell), press=_presses(cell))
    cell.hand.axes = (0.0, -1.0, 0.0, 0.0, 0.0, 0.0)
    cell.hand.dead_man = True
    time.sleep(0.1)
    return lambda: cell.ask(Takeover, device="keyboard")


def _to_policy(cell: FaultCell) -> Callable[[], UUID]:
    """The person drives in an episode of the policy, and gives the robot back to it."""
    cell.hold_lease()
    cell.follow(_direction(cell), press=_presses(cell))
    cell.hand.dead_man = True
    time.sleep(0.1)
    if not cell.answer(cell.ask(Takeover, device="keyboard")).accepted:
        raise Spoilt("no takeover")
    cell.hand.axes = (0.0, 0.0, -0.5, 0.0, 0.0, 0.0) if _presses(cell) else (0.0, -1.0, 0, 0, 0, 0)
    time.sleep(0.5)
    return lambda: cell.ask(EndTakeover)


def _presses(cell: FaultCell) -> bool:
    return cell.settings.task.name == PRESSING


def _direction(cell: FaultCell) -> tuple[float, float, float]:
    return (0.0, 0.0, -1.0) if _presses(cell) else (0.0, 1.0, 0.0)


@contextmanager
def _busy() -> Iterator[None]:
    """Two processes that compute and nothing else."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_compute, daemon=True) for _ in range(2)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def _compute() -> None:
    while True:
        math.sqrt(2.0)
