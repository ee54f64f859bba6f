"""A policy server is killed, stopped, slowed and spoilt while the robot that asks it drives: after
how long the measured TCP rests, that every step is recorded, and that it drives again.

Arm, control, actor and server are processes, in real time; the actor is the product's own.
"""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import policy_server_process
from benchmarks.fault_cell import MOVES_M_S, eventually
from benchmarks.fault_recording import RecordingCell
from benchmarks.fault_trial import Spoilt
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.policy_server_process import ACTIONS, GARBAGE, Answers
from robot_rl.config import load_task
from robot_rl.config.task import Task
from robot_rl.daemon.actor import process as actor_process
from robot_rl.policy.remote import TOKEN
from robot_rl.rehearsal.system import free_port
from robot_rl.schema.live.client_message import StartEpisode
from robot_rl.schema.segment import RecordedStep
from safety.faults import FaultCode, bound_ms
from safety.vocabulary import Source

TIMEOUT_S = 1.0
LOOK_S = 1.5  # after a fault
_SECRET = "of this benchmark alone"
_BACK_S = 90.0  # until it drives again; a server that starts anew loads torch
_MAX_STEPS = 1000
REPEATS = 3


class ServedCell(RecordingCell):
    """Its policy is asked from a policy server."""

    def __init__(self, folder: Path, task: Task) -> None:
        self.port = free_port()
        policy = task.policy.model_copy(
            update={"server": f"ws://127.0.0.1:{self.port}", "server_timeout_s": TIMEOUT_S}
        )
        super().__init__(folder, task.model_copy(update={"policy": policy}))
        self.answering: Any = self._context.Value("i", Answers.RIGHT)

    def start(self) -> None:
        os.environ[TOKEN] = _SECRET
        self.start_server()
        super().start()

    def start_server(self) -> None:
        task = self.settings.task
        self._spawn("server", policy_server_process.main, task, _SECRET, self.port, self.answering)

    def start_actor(self) -> None:
        self._spawn("actor", actor_process.main, self.settings)

    def end(self) -> None:
        server = self.processes.pop("server", None)
        if server is not None:
            server.kill()
            server.join(10)
        super().end()

    def begin(self) -> None:
        """An episode, and the policy drives. Raises Spoilt."""
        eventually(lambda: not self.refusal, f"no episode may start: {self.refusal}", 5.0)
        answer = self.ask_actor(StartEpisode)
        if not answer.accepted:
            raise Spoilt(answer.reason)
        self.drives()

    def drives(self) -> None:
        eventually(lambda: self.speed_m_s() > MOVES_M_S, "the policy does not drive", _BACK_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`injected` begins it, `healed` ends it; both while the policy drives."""

    name: str
    injected: Callable[[ServedCell], None]
    healed: Callable[[ServedCell], None]


def _kill(cell: ServedCell) -> None:
    cell.signal("server", signal.SIGKILL)
    cell.gone("server")


def _says(answers: Answers) -> Callable[[ServedCell], None]:
    def say(cell: ServedCell) -> None:
        cell.answering.value = answers

    return say


FAULTS = (
    Fault(name="killed", injected=_kill, healed=lambda cell: cell.start_server()),
    Fault(
        name="stopped",
        injected=lambda cell: _signalled(cell, signal.SIGSTOP),
        healed=lambda cell: _signalled(cell, signal.SIGCONT),
    ),
    Fault(name="slow", injected=_says(Answers.SLOW), healed=_says(Answers.RIGHT)),
    *(
        Fault(
            name=f"answers {each.name.lower().replace('_', ' ')}",
            injected=_says(each),
            healed=_says(Answers.RIGHT),
        )
        for each in GARBAGE
    ),
)


def _signalled(cell: ServedCell, number: int) -> None:
    cell.signal("server", number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What one fault did."""

    name: str
    rest_ms: float  # from the fault until the TCP rested and stayed so; infinite: it moves
    back_s: float  # from its end until the policy drove again


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was recorded of the episode in which the server was broken."""

    steps: int
    due: int  # steps of the grid from the first to the last
    driven: int  # by the policy
    held: int


def break_all(cell: ServedCell, faults: tuple[Fault, ...]) -> tuple[list[Broken], Account]:
    """One episode in which every fault is injected and healed in turn. Raises Spoilt."""
    cell.rest()
    cell.begin()
    found: list[Broken] = []
    for fault in faults:
        began_ns = time.monotonic_ns()
        fault.injected(cell)
        cell.looks.watch(LOOK_S)
        rest_ms = cell.hold_ms(began_ns)
        began_s = time.monotonic()
        fault.healed(cell)
        cell.drives()
        back_s = time.monotonic() - began_s
        found.append(Broken(name=fault.name, rest_ms=rest_ms, back_s=back_s))
        time.sleep(0.5)
    cell.ready()
    time.sleep(0.5)  # the last row is on the disk
    return found, account_of(cell.recorded())


def account_of(contents: list[Any]) -> Account:
    steps = [each.step for each in contents if isinstance(each, RecordedStep)]
    times = [step.t_robot_ns for step in steps]
    step_ns = min(b - a for a, b in pairwise(times))
    sources = [step.source for step in steps[:-1]]  # the last one has no action
    return Account(
        steps=len(steps),
        due=(times[-1] - times[0]) // step_ns + 1,
        driven=sources.count(Source.POLICY),
        held=sources.count(Source.HOLD),
    )


@contextmanager
def served_cell() -> Iterator[ServedCell]:
    """An episode is long enough for every fault."""
    task = load_task("lift_cube")
    reset = task.reset.model_copy(update={"confirm": False})
    task = task.model_copy(update={"reset": reset, "max_steps": _MAX_STEPS})
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        cell = ServedCell(Path(folder), task)
        try:
            cell.start()
            yield cell
        finally:
            cell.end()


def run(*, quick: bool = False, repeats: int | None = None) -> Result:
    """`repeats`: episodes, each with every fault."""
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    episodes = repeats or (1 if quick else REPEATS)
    broken: dict[str, list[Broken]] = {}
    accounts: list[Account] = []
    with served_cell() as cell:
        task = cell.settings.task
        for _ in range(episodes):
            found, account = break_all(cell, FAULTS)
            accounts.append(account)
            for each in found:
                broken.setdefault(each.name, []).append(each)
    # What was planned on the last answer ends, then the arm comes to rest.
    planned_ms = (ACTIONS * task.step_s + task.action_delay_s) * 1e3
    bound = planned_ms + bound_ms(FaultCode.ACTOR_LOST)
    targets = [
        Target(
            name=f"{name} → TCP rests",
            value=max(each.rest_ms for each in all_of),
            unit="ms",
            op="<=",
            target=bound,
        )
        for name, all_of in broken.items()
    ]
    lost = sum(account.due - account.steps for account in accounts)
    targets.append(
        Target(name="steps that were not recorded", value=lost, unit="steps", op="==", target=0)
    )
    detail: dict[str, Spread | float | int | str] = {
        f"{name}: healed → drives again, s": Spread.of([each.back_s for each in all_of])
        for name, all_of in broken.items()
    }
    detail |= {
        "steps recorded": sum(account.steps for account in accounts),
        "driven by the policy": sum(account.driven for account in accounts),
        "held": sum(account.held for account in accounts),
        "load at the end, 1 min": os.getloadavg()[0],
        "noise before, µs": noise,
    }
    return Result(bench="policy_server", machine=machine, targets=tuple(targets), detail=detail)
