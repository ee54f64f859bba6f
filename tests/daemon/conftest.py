"""The robot PC under test: the real processes on the simulated cell, in lock-step with the test.

The test takes the place of the link: it holds virtual time, writes drives and requests into shared
memory as the link would, and reads what control and actor publish. Starting the processes takes
seconds, so that the tests of a file share one robot and bring it back to rest before each.
"""

import itertools
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from pydantic import TypeAdapter

from hardware import arm_process, arm_topics, simulation_topics
from hardware.clock import VirtualClock, register
from hardware.memory import Record
from hardware.sim import camera_process
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control import process as control_process
from robot_rl.daemon.devices.launch import drawn_scene, hosted_arm
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor import lockstep_arm
from robot_rl.schema.live.client_message import (
    AcquireLease,
    Clear,
    ClientMessage,
    Request,
    Takeover,
)
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult, StopProgress
from safety.vocabulary import ONLY_ARM

MS = 1_000_000
STEP = 100 * MS
ARM_AND_CONTROL = "arm_and_control"  # one process, as the daemon has it in lock-step
OWNERS = ("arm", ARM_AND_CONTROL)
"""Of virtual time. Most tests have control apart, to kill it."""

_RESULTS: TypeAdapter[CommandResult | StopProgress] = TypeAdapter(CommandResult | StopProgress)


class Robot:
    """The processes, and the link's end of their shared memory."""

    def __init__(self, settings: DaemonSettings) -> None:
        self.settings = settings
        self.client, self.user = uuid4(), "ada"
        self.processes: dict[str, BaseProcess] = {}
        folder = settings.memory
        self.clock = VirtualClock(folder, "link")
        self.control = topics.open_slot(folder, "control")
        self.episode = topics.open_slot(folder, "episode")
        self.chunk = topics.open_chunk(folder, settings.task.action.size)
        self.command = arm_topics.open_command(folder)
        self.arm = arm_topics.open_state(folder, settings.cell.arms[ONLY_ARM].joints)
        self.truth = simulation_topics.open_truth(folder)
        self._drive = topics.open_slot(folder, "drive")
        self._rings = {name: topics.open_ring(folder, name) for name in topics.RINGS}
        columns = settings.task.action.size
        self._rings["step_results"] = topics.open_step_results(folder, columns)
        self._sequence = itertools.count(1)
        self._chunk_ids = itertools.count(1)
        self.answers: list[CommandResult] = []
        self.progress: list[StopProgress] = []

    # ---- processes ------------------------------------------------------------------------------

    def start(self, *names: str, actor: Callable[..., None] | None = None) -> None:
        """Start processes; time waits for all of them before it moves."""
        settings = self.settings
        table: dict[str, tuple[Callable[..., None] | None, tuple[Any, ...]]] = {
            "arm": (arm_process.main, (hosted_arm(ONLY_ARM, settings), 70)),
            ARM_AND_CONTROL: (lockstep_arm.main, (settings, 70)),
            "camera": (camera_process.main, (drawn_scene(settings),)),
            "control": (control_process.main, (settings, 80)),
            "actor": (actor, (settings,)),
        }
        parties = tuple(name for name in names if name not in OWNERS)
        with_owner = parties != names
        register(settings.memory, (*parties, "link") if with_owner else parties)
        context = multiprocessing.get_context("spawn")
        for name in names:
            target, arguments = table[name]
            process = context.Process(target=target, args=arguments, name=name)
            process.start()
            self.processes[name] = process

    def kill(self, name: str) -> None:
        """SIGKILL; what it held back of virtual time is released, as the supervisor would."""
        process = self.processes.pop(name)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(10)
        if name not in OWNERS:
            VirtualClock(self.settings.memory, name).leave()

    def stop(self) -> None:
        for name in ("actor", "control", "camera", *OWNERS):
            process = self.processes.pop(name, None)
            if process is None:
                continue
            process.terminate()
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join(5)

    # ---- time -----------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns()

    def run(self, duration_ms: int) -> None:
        """Let virtual time pass, and collect answers."""
        until_ns = self.now_ns + duration_ms * MS
        self.clock.grant_until_ns(until_ns)
        for _ in range(600):
            if self.clock.wait_until_ns(until_ns, 0.2):
                break
            for name, process in self.processes.items():
                assert process.is_alive(), f"{name} ended with {process.exitcode}"
        else:
            raise AssertionError(f"virtual time stopped at {self.now_ns / 1e9:.3f} s")
        self.collect()

    def collect(self) -> None:
        """Take what control and actor have answered."""
        for ring in ("control_results", "actor_results"):
            for result in messages.receive(self._rings[ring], _RESULTS):
                if isinstance(result, StopProgress):
                    self.progress.append(result)
                else:
                    self.answers.append(result)

    # ---- what the actor does --------------------------------------------------------------------

    def begin_autonomy(self) -> None:
        """The policy may drive from the next observation on."""
        messages.send(self._rings["intents"], messages.BeginAutonomy())
        self.run(120 - (self.now_ns // MS + 20) % 100)
        assert self.mode == "autonomous", self.cause

    def offer(
        self,
        actions: Any,
        *,
        epoch: int | None = None,
        valid_from_ns: int | None = None,
        risk: float = topics.NO_CRITIC,
        risk_threshold: float = topics.NO_CRITIC,
    ) -> int:
        """Publish a chunk of (n, columns) `actions` as the actor does; returns its id."""
        step_ns = self.settings.task.step_ns
        chunk = np.zeros((), self.chunk.dtype)
        observed_ns = self.now_ns // step_ns * step_ns
        chunk["chunk_id"] = chunk_id = next(self._chunk_ids)
        chunk["observation_ns"] = observed_ns
        start_ns = observed_ns + self.settings.task.action_delay_ns
        chunk["valid_from_ns"] = start_ns if valid_from_ns is None else valid_from_ns
        chunk["dt_ns"] = step_ns
        chunk["epoch"] = self.status["epoch"] if epoch is None else epoch
        chunk["count"] = len(actions)
        chunk["actions"][: len(actions)] = actions
        chunk["risk"], chunk["risk_threshold"] = risk, risk_threshold
        chunk["policy_version"] = 3
        self.chunk.write(chunk)
        return chunk_id

    # ---- what the link does ---------------------------------------------------------------------

    def ask(
        self, request: ClientMessage, *, to: str = "control", client: UUID | None = None
    ) -> None:
        if isinstance(request, Request) and not request.echo_t_ns:
            request = request.model_copy(update={"echo_t_ns": self.now_ns})
        sender = FromClient(
            client_id=client or self.client,
            user=self.user if client in (None, self.client) else "bob",
            message=request,
        )
        assert messages.send(self._rings[f"{to}_requests"], sender)

    def answer_of(
        self, kind: type[Request], *, to: str = "control", **fields: Any
    ) -> CommandResult:
        """Ask, let 20 ms (control) or a step (actor) pass, and give the answer."""
        request = kind(request_id=uuid4(), **fields)
        self.ask(request, to=to)  # pyright: ignore[reportArgumentType]
        for _ in range(30):
            self.run(20)
            for answer in self.answers:
                if answer.request_id == request.request_id:
                    return answer
        raise AssertionError(f"{request} was never answered")

    def drive(
        self,
        *,
        axes: tuple[float, ...] = (0.0,) * 6,
        deadman: bool = True,
        gripper: int = 0,
        echo_ns: int | None = None,
        epoch: int | None = None,
    ) -> None:
        """One drive message of the client, as the link writes it."""
        now_ns = self.now_ns
        record = np.zeros((), topics.DRIVE)
        record["client_id"] = np.void(self.client.bytes)
        record["received_ns"] = now_ns
        record["sequence"] = next(self._sequence)
        record["lease_epoch"] = self.status["lease_epoch"] if epoch is None else epoch
        record["echo_t_ns"] = now_ns if echo_ns is None else echo_ns
        record["deadman"], record["axes"], record["gripper"] = deadman, axes, gripper
        record["speed_scale"], record["device"] = 1.0, b"keyboard"
        self._drive.write(record)

    def drive_for(self, duration_ms: int, **fields: Any) -> None:
        """A person at 50 Hz."""
        for _ in range(duration_ms // 20):
            self.drive(**fields)
            self.run(20)

    def take_over(self) -> None:
        """Lease, dead-man, takeover."""
        if bytes(self.status["lease_client"]) != self.client.bytes:
            assert self.answer_of(AcquireLease).accepted
        self.run(10)
        self.drive(deadman=False)  # let go since the last takeover, then held
        self.run(10)
        self.drive()
        self.ask(Takeover(request_id=uuid4(), device="keyboard"))
        self.drive_for(40)
        assert self.mode == "takeover", self.cause

    def rest(self) -> None:
        """Back to idle, at home, with a free lease, whatever a test left behind."""
        if self.mode in ("stopped", "fault"):
            assert self.answer_of(Clear).accepted
            self.run(300)
        messages.send(self._rings["intents"], messages.EndMotion(reason="next test"))
        self.run(2200)  # any lease runs out by silence
        messages.send(self._rings["intents"], messages.GoHome())
        for _ in range(60):
            self.run(100)
            if self.mode == "idle":
                break
        assert self.mode == "idle", self.cause
        self.run(500)
        for ring in ("step_results", "control_events"):
            self._rings[ring].drain()
        self.answers.clear()
        self.progress.clear()

    # ---- what was published ---------------------------------------------------------------------

    @property
    def status(self) -> Record:
        return self.control.read()

    @property
    def mode(self) -> str:
        return bytes(self.status["mode"]).decode()

    @property
    def cause(self) -> str:
        return bytes(self.status["cause"]).decode()

    @property
    def position_m(self) -> Any:
        return np.array(self.arm.read()["position"])

    @property
    def reference_m(self) -> Any:
        """Where control wants the TCP."""
        return np.array(self.command.read()["position"])

    def ring(self, name: str) -> Any:
        return self._rings[name]

    def speed_m_s(self) -> float:
        return float(np.linalg.norm(self.arm.read()["twist"][:3]))


type MakeRobot = Callable[..., Robot]


@pytest.fixture(scope="module")
def make_robot(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[MakeRobot]:
    """Makes robots: shared memory and settings. The test starts their processes."""
    robots: list[Robot] = []

    def make(task: str = "lift_cube", folder: Path | None = None, **changes: Any) -> Robot:
        settings = DaemonSettings(
            cell=load_cell("simulation"),
            task=load_task(task).model_copy(update=changes),
            data_folder=(folder or tmp_path_factory.mktemp("robot")) / "data",
            lockstep=True,
            seed=int(request.config.getoption("--seed") or 0),
        )
        settings.memory.mkdir()
        robots.append(Robot(settings))
        return robots[-1]

    yield make
    for robot in robots:
        robot.stop()
        shutil.rmtree(robot.settings.memory)
