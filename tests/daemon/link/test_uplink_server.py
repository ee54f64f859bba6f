"""The outbox and the uplink against the real server and a real Postgres."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from benchmarks.recording import ended, recorded, started, write_episode
from robot_rl.daemon.link.uplink import Uplink
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.episode import SafetyEvent
from robot_rl.schema.message import new_id, utc_now
from tests.server.conftest import (  # noqa: F401 (fixtures)
    RunningServer,
    blobs,
    database,
    postgres,
    server,
)

pytestmark = pytest.mark.slow  # starts Postgres


class _LosesAnswers(httpx.AsyncHTTPTransport):
    """The server stores a batch, and every other answer never comes back."""

    count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.count += 1
        if self.count % 2:
            await response.aread()
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return response


def deliver(
    path: Path,
    server: RunningServer,  # noqa: F811
    said: list[str],
    transport: httpx.AsyncHTTPTransport | None = None,
) -> int:
    """Run the uplink until the outbox is empty; returns how many transitions were acknowledged."""

    async def work() -> int:
        headers = server.bearer("robot", "panda-sim")
        async with httpx.AsyncClient(
            transport=transport, base_url=server.url, headers=headers
        ) as client:
            reader = OutboxReader(path)
            uplink = Uplink(
                reader, client, robot="panda-sim", log=said.append,
                linger_s=0.0, poll_s=0.005, longest_backoff_s=0.02,
            )  # fmt: skip
            running = asyncio.create_task(uplink.run())
            async with asyncio.timeout(60):
                while reader.counts().pending:  # noqa: ASYNC110 (another process would be asked so)
                    await asyncio.sleep(0.01)
            uplink.drain()
            await running
            reader.close()
            return uplink.state.acknowledged_training

    return asyncio.run(work())


def test_what_the_real_server_can_never_store_holds_up_nothing(
    tmp_path: Path,
    server: RunningServer,  # noqa: F811
) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 5)
        for note in ("it slipped\0", "x" * 900_000):
            episode = new_id()
            writer.append_event(started(episode))
            writer.append_step(recorded(episode, 0, acted=False))
            writer.append_event(ended(episode, 0).model_copy(update={"note": note}))
        for _ in range(4):
            lost = SafetyEvent(
                event_id=new_id(), episode_id=new_id(), code="stop", cause="", by="ada",
                t_robot_ns=1, t_utc=utc_now(),
            )  # fmt: skip
            writer.append_event(lost)
        write_episode(writer, 5)
    said: list[str] = []
    deliver(path, server, said)
    with server.database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT stored_steps, outcome FROM episodes ORDER BY started_t_utc, episode_id")
        ).all()
    assert [tuple(row) for row in rows] == [(6, "success"), (1, None), (1, None), (6, "success")]
    reader = OutboxReader(path)
    counts = reader.counts()
    reader.close()
    assert (counts.pending, counts.set_aside) == (0, 6), said
    assert any("NUL" in line for line in said)


def test_the_real_server_stores_everything_once(tmp_path: Path, server: RunningServer) -> None:  # noqa: F811
    path = tmp_path / "outbox.sqlite"
    for _ in range(2):  # two boots
        with OutboxWriter(path, linger_s=0.0) as writer:
            for _ in range(2):
                write_episode(writer, 30)
    said: list[str] = []
    assert deliver(path, server, said, _LosesAnswers()) == 120
    with server.database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT stored_steps, steps, outcome FROM episodes")
        ).all()  # fmt: skip
        stored = connection.execute(text("SELECT sum(count) FROM segments")).scalar_one()
    assert [tuple(row) for row in rows] == [(31, 30, "success")] * 4
    assert stored == 4 * 31
    reader = OutboxReader(path)
    assert reader.counts().set_aside == 0, said
    reader.close()
