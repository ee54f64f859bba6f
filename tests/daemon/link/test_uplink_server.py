"""The outbox and the uplink against the real server and a real Postgres."""

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from benchmarks.recording import JPEG, ended, recorded, sent_beside, started, write_episode
from robot_rl.daemon.link.uplink import Uplink
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.episode import RobotEvent, SafetyEvent
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import ArmObservation
from tests.server.conftest import (  # noqa: F401 (fixtures)
    RunningServer,
    blobs,
    database,
    postgres,
    server,
)
from tests.server.recordings import of_size

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
                reader, client, sent_beside(path), robot="panda-sim", log=said.append,
                linger_s=0.0, poll_s=0.005, longest_backoff_s=0.02,
            )  # fmt: skip
            running = asyncio.create_task(uplink.run())
            async with asyncio.timeout(600):
                while reader.counts().pending:  # noqa: ASYNC110 (another process would be asked so)
                    await asyncio.sleep(0.01)
            uplink.drain()
            await running
            reader.close()
            return uplink.state.acknowledged_training

    return asyncio.run(work())


def of_lost(**values: object) -> SafetyEvent:
    """An event of an episode that a restored backup does not know."""
    return SafetyEvent(
        event_id=new_id(), episode_id=new_id(), code="stop", cause="", by="ada", t_robot_ns=1,
        t_utc=utc_now(),
    ).model_copy(update=values)  # fmt: skip


def step(episode: UUID, *, picture: bytes | None = None, **values: object) -> RecordedStep:
    """The second one of an episode, changed past every check that a robot makes."""
    whole = recorded(episode, 1)
    images = whole.images if picture is None else {"front": picture}
    return RecordedStep(step=whole.step.model_copy(update=values), images=images)


def less_of(episode: UUID) -> ArmObservation:
    """An arm that says how fast a joint moves, and not where it is."""
    arm = recorded(episode, 1).step.arms["arm"]
    return arm.model_copy(update={"q_rad": arm.q_rad[1:]})


type Poison = Callable[[UUID], RecordedStep | RobotEvent]
POISONS: dict[str, Poison] = {
    "an event of a lost episode": lambda episode: of_lost(),
    "a step of a lost episode": lambda episode: step(new_id()),
    "NUL": lambda episode: of_lost(episode_id=episode, cause="it slipped\0"),
    "900 kB": lambda episode: of_lost(episode_id=episode, cause="x" * 900_000),
    "a number without bounds": lambda episode: of_lost(episode_id=episode, t_robot_ns=2**63),
    "NaN": lambda episode: step(episode, executed_action=(math.nan,) * 7),
    "no arm": lambda episode: step(episode, arms={}),
    "a joint less": lambda episode: step(episode, arms={"arm": less_of(episode)}),
    "another camera": lambda episode: step(episode, stale_cameras=("../etc",)),
    "a short action": lambda episode: step(episode, executed_action=(0.1,) * 3),
    "the clock goes back": lambda episode: step(episode, t_robot_ns=-1),
    "no picture": lambda episode: step(episode, picture=b"x" * 5000),
    "a huge picture": lambda episode: step(episode, picture=of_size(JPEG, 60_000)),
}


def test_poisons_cost_themselves_and_nothing_else(
    tmp_path: Path,
    server: RunningServer,  # noqa: F811
) -> None:
    path = tmp_path / "outbox.sqlite"
    episodes: list[UUID] = []
    with OutboxWriter(path, linger_s=0.0) as writer:
        for poison in POISONS.values():
            episode = new_id()
            writer.append_event(started(episode))
            writer.append_step(recorded(episode, 0))
            content = poison(episode)
            if isinstance(content, RecordedStep):
                writer.append_step(content)
            else:
                writer.append_event(content)
            writer.append_event(ended(episode, 1))
            episodes.append(episode)
        good = write_episode(writer, 5)
    said: list[str] = []
    deliver(path, server, said)
    with server.database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT episode_id, stored_steps, outcome FROM episodes")
        ).all()  # fmt: skip
    stored = {row.episode_id: (row.stored_steps, row.outcome) for row in rows}
    assert stored == {good: (6, "success"), **dict.fromkeys(episodes, (1, "success"))}
    reader = OutboxReader(path)
    counts = reader.counts()
    reader.close()
    assert (counts.pending, counts.set_aside) == (0, len(POISONS)), said


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
