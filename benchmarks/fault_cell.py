"""The simulated cell in real time, as `bench faults` breaks it: arm and control are processes.

The benchmark takes the places of link, actor and teleop: it writes drives, chunks and requests into
shared memory as they would, and reads what arm and control publish.
"""

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from pydantic import TypeAdapter

from benchmarks.fault_looks import Looks
from benchmarks.fault_parties import (
    Hand,
    arm_with_a_reflex,
    control_with_a_weak_solver,
    new_chunk,
    scripted_policy,
)
from benchmarks.fault_trial import Spoilt
from hardware import arm_topics
from hardware.memory import Record
from robot_rl.config import load_cell, load_task
from robot_rl.config.task import Task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.devices.launch import hosted_arm
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.memory import Memory
from robot_rl.daemon.supervisor.processes import CONTROL_PRIORITY
from robot_rl.schema.live.client_message import AcquireLease, Clear, Request, Takeover
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult, StopProgress
from safety.vocabulary import ONLY_ARM

MS = 1_000_000
ARM_PRIORITY = CONTROL_PRIORITY - 10
FAST = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
MOVES_M_S = 0.15
"""A trial begins when the arm moves faster; full speed is 0.25 m/s."""
LOOK_S = 0.8
"""How long a trial looks at the arm after its fault."""
PRESSES_N = 10.0
"""Nothing but contact makes such a force."""
_PATIENCE_S = 90.0  # the first start may compile
_RESULTS: TypeAdapter[CommandResult | StopProgress] = TypeAdapter(CommandResult | StopProgress)


def eventually(true: Callable[[], bool], what: str, timeout_s: float = _PATIENCE_S) -> None:
    """Raises Spoilt."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise Spoilt(what)
        time.sleep(0.002)


class FaultCell:
    """Arm, control, a hand, and a look at the arm 500 times a second."""

    def __init__(self, folder: Path, task: Task) -> None:
        self.settings = DaemonSettings(
            cell=load_cell("simulation"), task=task, data_folder=folder / "data"
        )
        self.settings.data_folder.mkdir(exist_ok=True)
        self.memory = Memory(self.settings)
        shared = self.settings.memory
        self.client, self.other = uuid4(), uuid4()
        self.hand = Hand(shared, self.client)
        self.control = topics.open_slot(shared, "control")
        self.arm = arm_topics.open_state(shared, self.settings.cell.arms[ONLY_ARM].joints)
        self._rings = {name: topics.open_ring(shared, name) for name in topics.RINGS}
        columns = self.settings.task.action.size
        self._steps = topics.open_step_results(shared, columns)
        self._context = multiprocessing.get_context("spawn")
        self.broken_ns: Synchronized[int] = self._context.Value("q", 0)  # control's solver since
        self.processes: dict[str, BaseProcess] = {}
        self.results: list[CommandResult | StopProgress] = []
        self.looks = Looks(arm=self.arm, command=arm_topics.open_command(shared))

    # ---- processes ----------------------------------------------------------------------------

    def start(self) -> None:
        self._spawn("arm", arm_with_a_reflex, hosted_arm(ONLY_ARM, self.settings), ARM_PRIORITY)
        self.start_control()
        self.hand.start()

    def start_control(self) -> None:
        count = self.control.count
        arguments = (self.settings, CONTROL_PRIORITY, self.broken_ns)
        self._spawn("control", control_with_a_weak_solver, *arguments)
        eventually(lambda: self.control.count > count + 20, "control did not start")

    def start_policy(self, actions: int, direction: tuple[float, ...]) -> None:
        self._spawn("actor", scripted_policy, self.settings, actions, direction)

    def end_policy(self) -> None:
        """As a crash ends it; the motion of its episode ends too."""
        if "actor" in self.processes:
            self.signal("actor", signal.SIGKILL)
            self.gone("actor")
        self.send("intents", messages.EndMotion(reason="the trial is over"))

    def _spawn(self, name: str, main: Callable[..., None], *arguments: Any) -> None:
        self.processes[name] = self._context.Process(target=main, args=arguments, daemon=True)
        self.processes[name].start()

    def signal(self, name: str, number: int) -> int:
        """Send it; when, robot time."""
        pid = self.processes[name].pid
        assert pid is not None
        now_ns = time.monotonic_ns()
        os.kill(pid, number)
        return now_ns

    def gone(self, name: str) -> None:
        """After SIGKILL."""
        self.processes.pop(name).join(10)

    def give_up(self) -> None:
        """A trial was spoilt: its policy ends."""
        if "actor" in self.processes:
            self.end_policy()

    def end(self) -> None:
        self.hand.ending.set()
        for name in ("actor", "control", "arm"):
            process = self.processes.pop(name, None)
            if process is not None:
                process.kill()
                process.join(10)
        self.memory.remove()

    # ---- what is asked ------------------------------------------------------------------------

    @property
    def mode(self) -> str:
        return bytes(self.control.read()["mode"]).decode()

    def send(self, ring: str, message: Any) -> None:
        if not messages.send(self._rings[ring], message):
            raise Spoilt(f"{ring} is full")

    def ask(self, kind: type[Request], client: UUID | None = None, **fields: Any) -> UUID:
        request: Any = kind(request_id=uuid4(), echo_t_ns=time.monotonic_ns(), **fields)
        who = client or self.client
        user = "ada" if who == self.client else "bob"
        self.send("control_requests", FromClient(client_id=who, user=user, message=request))
        return request.request_id

    def answers(self) -> list[CommandResult | StopProgress]:
        for ring in ("control_results", "actor_results"):
            self.results += messages.receive(self._rings[ring], _RESULTS)
        return self.results

    def answer(self, request: UUID) -> CommandResult:
        """Raises Spoilt when none comes."""

        def found() -> list[CommandResult]:
            return [
                each
                for each in self.answers()
                if isinstance(each, CommandResult) and each.request_id == request
            ]

        eventually(lambda: bool(found()), "a request was never answered", 5.0)
        return found()[0]

    # ---- a trial ------------------------------------------------------------------------------

    def rest(self) -> None:
        """Idle at the start pose, nobody drives, whatever a trial left behind."""
        hand = self.hand
        hand.device, hand.axes, hand.dead_man, hand.speaks = False, (0.0,) * 6, False, False
        hand.epochs_behind = 0
        if "control" not in self.processes:
            self.start_control()
        self.send("intents", messages.EndMotion(reason="next trial"))
        deadline = time.monotonic() + 20.0
        while self.mode != "idle" or not self.control.read()["at_home"] or self.speed_m_s() > 0.005:
            if time.monotonic() > deadline:
                raise Spoilt(f"the robot does not come to rest: {self.mode}")
            mode = self.mode
            if mode in ("stopped", "fault"):
                self.answer(self.ask(Clear))
            elif mode in ("idle", "paused"):
                self.send("intents", messages.GoHome())
            time.sleep(0.3)
        self.results.clear()
        self.looks.clear()

    def hold_lease(self, *, device: bool = False) -> None:
        """A person is there, with the console or a device, and has let go of the dead-man."""
        self.hand.device, self.hand.speaks = device, True
        if bytes(self.control.read()["lease_client"]) != self.client.bytes:
            answer = self.answer(self.ask(AcquireLease))
            if not answer.accepted:
                raise Spoilt(answer.reason)
        time.sleep(0.15)

    def drive(self, *, device: bool = False) -> None:
        """A person takes over and drives at full speed, with the console or a device."""
        hand = self.hand
        self.hold_lease(device=device)
        hand.dead_man = True
        time.sleep(0.1)
        self.ask(Takeover, device="spacemouse" if device else "keyboard")
        eventually(lambda: self.mode == "takeover", "no takeover", 3.0)
        hand.axes = FAST
        self.moves()

    def follow(
        self, direction: tuple[float, float, float] = (0.0, 1.0, 0.0), *, press: bool = False
    ) -> None:
        """The policy drives at full speed, or presses on what is in its way."""
        self.start_policy(3, direction)
        self.send("intents", messages.BeginAutonomy())
        eventually(lambda: self.mode == "autonomous", "no autonomy", 5.0)
        if press:
            eventually(lambda: self.force_n() > PRESSES_N, "it does not press", 10.0)
            time.sleep(0.5)
        else:
            self.moves()

    def offer(self, actions: Sequence[Sequence[float]], *, epoch: int) -> int:
        """Publish one chunk, as an actor; when its first action begins, robot time."""
        chunk = new_chunk(self.settings, actions, epoch=epoch)
        topics.open_chunk(self.settings.memory, self.settings.task.action.size).write(chunk)
        return int(chunk["valid_from_ns"])

    def moves(self) -> None:
        eventually(lambda: self.speed_m_s() > MOVES_M_S, "it does not move", 10.0)
        time.sleep(0.15)
        if self.speed_m_s() < MOVES_M_S:
            raise Spoilt("it does not go on moving")

    def speed_m_s(self) -> float:
        return float(np.linalg.norm(self.arm.read()["twist"][:3]))

    def force_n(self) -> float:
        return float(np.linalg.norm(self.arm.read()["wrench"][:3]))

    def step_results(self) -> list[Record]:
        """Control's account of each window since the last call."""
        return list(self._steps.drain())

    def events[M](self, adapter: TypeAdapter[M]) -> list[M]:
        """What control has told the actor since the last call."""
        return messages.receive(self._rings["control_events"], adapter)

    def watch(self, duration_s: float, seen: Callable[[], bool] | None = None) -> int:
        """Look at arm and commands for so long; when `seen` was true first, robot time, or 0."""
        return self.looks.watch(duration_s, seen)

    def hold_ms(self, since_ns: int) -> float:
        """From then until the measured TCP rested and stayed so; infinite: it still moves."""
        return self.looks.hold_ms(since_ns)

    def gap_ms(self) -> float:
        """The longest time between two looks of the last trial; 0: it did not look."""
        return self.looks.gap_ms()


@contextmanager
def fault_cell(task: str = "lift_cube") -> Iterator[FaultCell]:
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        cell = FaultCell(Path(folder), load_task(task))
        try:
            cell.start()
            yield cell
        finally:
            cell.end()
