"""Driving through the real link, server and sockets, by a client behind a delay each way.

Control runs in this process on a bench arm, so that a busy machine latches nothing.
"""

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection, connect

from hardware import arm_topics
from hardware.memory import Record
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control.controller import Controller, TickInput
from robot_rl.daemon.control.settings import control_settings
from robot_rl.daemon.control.status import LoopTimes, control_record
from robot_rl.daemon.link.link import Link
from robot_rl.daemon.log import Log
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.memory import Memory
from robot_rl.schema.live.client_message import AcquireLease, ClientMessage, Drive, Takeover
from robot_rl.schema.live.client_update import ClientUpdate, ClientWelcome
from robot_rl.schema.live.robot_command import ClientGone, FromClient
from robot_rl.schema.live.robot_message import CommandResult, RobotTime
from robot_rl.schema.live.telemetry import Telemetry
from robot_rl.schema.message import new_id
from safety.modes import ModeState
from tests.daemon.control.stand import START, without_shapes
from tests.server.conftest import (  # noqa: F401 (fixtures)
    RunningServer,
    database,
    postgres,
    server,
)

pytestmark = pytest.mark.slow  # starts Postgres
ROBOT = "panda-sim"
PATIENCE_S = 40.0
_UPDATE: TypeAdapter[ClientUpdate] = TypeAdapter(ClientUpdate)
_REQUEST: TypeAdapter[FromClient | ClientGone] = TypeAdapter(FromClient | ClientGone)


class BenchControl(threading.Thread):
    """Control's core at 200 Hz between the link's shared memory and an arm that stands still."""

    def __init__(self, settings: DaemonSettings) -> None:
        super().__init__(name="bench control")
        folder, wanted = settings.memory, control_settings(settings.cell, settings.task)
        wanted = replace(wanted, freeze_ns=10**12)  # this thread shares a busy machine
        now_ns = time.monotonic_ns()
        arm = replace(START, t_ns=now_ns)
        self.controller = Controller(
            without_shapes(wanted), ModeState(since_ns=now_ns), [arm], now_ns
        )
        self._drive, self._drive_count = topics.open_slot(folder, "drive"), 0
        self._control = topics.open_slot(folder, "control")
        self._requests = topics.open_ring(folder, "control_requests")
        self._results = topics.open_ring(folder, "control_results")
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            now_ns = time.monotonic_ns()
            seen = TickInput(
                now_ns=now_ns,
                arms=[replace(START, t_ns=now_ns)],
                requests=messages.receive(self._requests, _REQUEST),
                drive=self._newest_drive(),
            )
            for result in self.controller.tick(seen).out.results:
                messages.send(self._results, result)
            self._control.write(control_record(self.controller, LoopTimes(), 0, now_ns))
            time.sleep(0.005)

    def _newest_drive(self) -> Record | None:
        count = self._drive.count
        if count == self._drive_count:
            return None
        self._drive_count = count
        return self._drive.read()


@pytest.fixture
def settings(server: RunningServer, tmp_path: Path) -> Iterator[DaemonSettings]:  # noqa: F811
    made = DaemonSettings(
        cell=load_cell("simulation"),
        task=load_task("lift_cube"),
        data_folder=tmp_path,
        server_url=server.url,
        token=server.token("robot", ROBOT),
    )
    Memory(made)
    slot = arm_topics.open_state(made.memory, 7)
    arm: Any = np.zeros((), arm_topics.state_type(7))
    arm["t_ns"], arm["position"] = time.monotonic_ns(), START.position_m
    slot.write(arm)
    episode: Any = np.zeros((), topics.EPISODE)
    episode["stage"], episode["purpose"] = b"ready", b"training"
    topics.open_slot(made.memory, "episode").write(episode)
    yield made
    shutil.rmtree(made.memory)


class DelayedClient:
    """A client that answers each of the robot's times at once; both ways take half a round trip."""

    def __init__(self, socket: ClientConnection, round_trip_s: float) -> None:
        self._socket, self._delay_s = socket, round_trip_s / 2
        self._loop = asyncio.get_running_loop()
        self._sequence = 0
        self.robot_ns = 0
        self.robot_times = 0
        self.dead_man = False
        self.me: UUID | None = None
        self.telemetry: Telemetry | None = None
        self.answers: asyncio.Queue[CommandResult] = asyncio.Queue()

    async def read(self) -> None:
        async for text in self._socket:
            self._loop.call_later(self._delay_s, self._hear, text)

    def _hear(self, text: str | bytes) -> None:
        match update := _UPDATE.validate_json(text):
            case RobotTime():
                self.robot_ns = update.t_ns
                self.robot_times += 1
                self._drive()
            case Telemetry():
                self.telemetry = update
                self.robot_ns = max(self.robot_ns, update.t_ns)
            case ClientWelcome():
                self.me = update.client_id
            case CommandResult():
                self.answers.put_nowait(update)
            case _:
                pass

    def _drive(self) -> None:
        if self.telemetry is None or self.telemetry.lease.client_id != self.me:
            return
        self._sequence += 1
        self._send(
            Drive(
                sequence=self._sequence,
                lease_epoch=self.telemetry.lease.epoch,
                echo_t_ns=self.robot_ns,
                deadman=self.dead_man,
                axes=(0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
            )
        )

    def _send(self, message: ClientMessage) -> None:
        text = message.model_dump_json()
        self._loop.call_later(self._delay_s, lambda: self._loop.create_task(self._put(text)))

    async def _put(self, text: str) -> None:
        await self._socket.send(text)

    async def ask(self, kind: type[Any], **fields: Any) -> CommandResult:
        request = kind(request_id=new_id(), echo_t_ns=self.robot_ns, **fields)
        self._send(request)
        while (answer := await self.answers.get()).request_id != request.request_id:
            pass
        return answer

    async def until(self, condition: Any) -> None:
        while not condition():  # noqa: ASYNC110 (a person looks at a screen)
            await asyncio.sleep(0.02)


async def try_to_drive(
    running: RunningServer,
    settings: DaemonSettings,
    round_trip_s: float,
    *,
    tries: int,
) -> tuple[list[CommandResult], DelayedClient]:
    """Ask up to `tries` times: a busy machine may add an age of its own."""
    stopping = asyncio.Event()
    link = asyncio.create_task(Link(settings, Log(None, "link")).run(stopping))
    address = f"{running.live}/robots/{ROBOT}"
    answers: list[CommandResult] = []
    async with connect(
        address, additional_headers=running.bearer("operator", "ada"), proxy=None
    ) as socket:
        client = DelayedClient(socket, round_trip_s)
        reading = asyncio.create_task(client.read())
        await client.until(lambda: client.telemetry is not None)
        for _ in range(tries):
            client.dead_man = False
            assert (await client.ask(AcquireLease)).accepted
            await asyncio.sleep(round_trip_s + 0.2)
            client.dead_man = True
            await asyncio.sleep(round_trip_s / 2 + 0.1)
            answers.append(await client.ask(Takeover, device="keyboard"))
            if answers[-1].accepted:
                break
        reading.cancel()
    stopping.set()
    await link
    return answers, client


def run(
    running: RunningServer,
    settings: DaemonSettings,
    round_trip_ms: int,
    tries: int,
) -> tuple[list[CommandResult], DelayedClient, BenchControl]:
    control = BenchControl(settings)
    control.start()
    try:
        trying = try_to_drive(running, settings, round_trip_ms * 1e-3, tries=tries)
        answers, client = asyncio.run(asyncio.wait_for(trying, PATIENCE_S))
    finally:
        control.ending.set()
        control.join()
    return answers, client, control


@pytest.mark.parametrize("round_trip_ms", [0, 120, 240])
def test_a_person_takes_over_through_a_slow_network(
    server: RunningServer,  # noqa: F811
    settings: DaemonSettings,
    round_trip_ms: int,
) -> None:
    answers, client, control = run(server, settings, round_trip_ms, tries=10)
    assert answers[-1].accepted, [answer.reason for answer in answers]
    assert client.robot_times > 0
    assert control.controller.authority.lease.round_trip_s >= round_trip_ms * 1e-3


def test_beyond_300_ms_nobody_takes_over(
    server: RunningServer,  # noqa: F811
    settings: DaemonSettings,
) -> None:
    answers, _, _ = run(server, settings, 350, tries=3)
    assert not any(answer.accepted for answer in answers)
    assert all("The round trip is" in answer.reason for answer in answers)
