"""The driver's connection through the real server and link is torn, or goes dark (faults 1, 2)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect

from robot_rl.daemon.link.link import Link
from robot_rl.daemon.log import Log
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.schema.live.client_message import AcquireLease, Takeover
from safety.faults import FaultCode
from safety.vocabulary import Mode, Source
from tests.daemon.link.test_remote_driving import (  # noqa: F401 (fixtures)
    PATIENCE_S,
    ROBOT,
    BenchControl,
    DelayedClient,
    RunningServer,
    database,
    postgres,
    server,
    settings,
)

pytestmark = [pytest.mark.fault, pytest.mark.slow]  # starts Postgres


class Line:
    """A connection from the console to the server that can go dark: packets are lost, no FIN."""

    def __init__(self, to: str) -> None:
        self._to = urlsplit(to)
        self.dark = False
        self._pumps: list[asyncio.Task[None]] = []
        self._ends: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return self._to._replace(netloc=f"127.0.0.1:{port}").geturl()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        for end in self._ends:
            end.transport.abort()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await asyncio.sleep(0.1)  # until the transports have said that they are closed

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._ends += [back, forth]
        pairs = ((near, forth), (far, back))
        self._pumps += [asyncio.create_task(self._pump(*pair)) for pair in pairs]

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.dark:
                sink.write(data)
        sink.close()


type Lose = Callable[[Line, DelayedClient], Awaitable[None]]


async def tear(_: Line, client: DelayedClient) -> None:
    client._socket.transport.abort()


async def go_dark(line: Line, _: DelayedClient) -> None:
    line.dark = True


async def drive_until_lost(
    running: RunningServer, robot: DaemonSettings, control: BenchControl, lose: Lose
) -> None:
    """Ada takes over and drives; her connection is lost; the robot holds, and frees her lease."""
    core, stopping = control.controller, asyncio.Event()
    link = asyncio.create_task(Link(robot, Log(None, "link")).run(stopping))
    line = Line(f"{running.live}/robots/{ROBOT}")
    bearer = running.bearer("operator", "ada")
    async with line as address, connect(address, additional_headers=bearer, proxy=None) as socket:
        client = DelayedClient(socket, 0.0)
        reading = asyncio.create_task(client.read())
        await client.until(lambda: client.telemetry is not None)
        while core.mode is not Mode.TAKEOVER or core.source is not Source.HUMAN:
            client.dead_man = False
            assert (await client.ask(AcquireLease)).accepted
            await asyncio.sleep(0.2)
            client.dead_man = True
            await asyncio.sleep(0.1)
            await client.ask(Takeover, device="keyboard")
            await asyncio.sleep(0.1)
        await lose(line, client)
        await client.until(lambda: core.source is Source.HOLD)
        await client.until(lambda: core.mode is Mode.PAUSED)
        await client.until(lambda: core.authority.lease.state.holder is None)
        assert core.channels[0].gate.rests
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await reading
        socket.transport.abort()
    stopping.set()
    await link


@pytest.fixture
def control(settings: DaemonSettings) -> Iterator[BenchControl]:  # noqa: F811
    thread = BenchControl(settings)
    thread.start()
    yield thread
    thread.ending.set()
    thread.join()


@pytest.mark.injects(FaultCode.OPERATOR_LOST, FaultCode.OPERATOR_HALF_OPEN)
@pytest.mark.parametrize("lose", [tear, go_dark])
def test_a_lost_connection_holds_and_frees_the_lease(
    server: RunningServer,  # noqa: F811
    settings: DaemonSettings,  # noqa: F811
    control: BenchControl,
    lose: Lose,
) -> None:
    trying = drive_until_lost(server, settings, control, lose)
    asyncio.run(asyncio.wait_for(trying, PATIENCE_S))
