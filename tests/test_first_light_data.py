"""Data written by the first release goes on: database, outbox, learner's state, policies."""

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from benchmarks.recording import sent_beside, write_episode
from robot_rl.config.document import load_task
from robot_rl.config.task import Task
from robot_rl.daemon.actor.policy import PolicyHolder
from robot_rl.daemon.link.uplink import Uplink
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.learner import Learner
from robot_rl.learner.settings import LearnerSettings
from robot_rl.server import migration
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.settings import ServerSettings
from tests.first_light import load_tables, unpacked
from tests.server.conftest import (
    RunningServer,
    postgres,  # noqa: F401 (a fixture)
    serving,
    temporary_database,
)

pytestmark = [pytest.mark.slow, pytest.mark.beside]  # starts Postgres, loads torch

STEPS, TRAINABLE, VERSIONS = 186, 120, 4
"""As the rehearsal's report said: steps stored, steps available to the learner, versions."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("first_light"))


@pytest.fixture(scope="module")
def task(old: Path) -> Task:
    return load_task(str(old / "small_lift.toml"))


@pytest.fixture
def server(
    old: Path,
    postgres: EmbeddedPostgres,  # noqa: F811
    tmp_path: Path,
) -> Iterator[RunningServer]:
    """The old database brought to the schema of today, behind a server of today."""
    settings = ServerSettings(data=tmp_path / "data", port=0)
    shutil.copytree(old / "blobs", settings.blob_folder)
    with temporary_database(postgres, "template1") as database:
        load_tables(database, old / "tables")
        migration.upgrade(database)
        with serving(settings, database) as running:
            yield running


def test_an_old_database_migrates_and_shows_every_episode(server: RunningServer) -> None:
    with server.client("engineer") as client:
        page = client.get("/api/episodes").raise_for_status().json()
        assert len(page["episodes"]) == 6
        steps = 0
        for row in page["episodes"]:
            found = client.get(f"/api/episodes/{row['episode_id']}").raise_for_status()
            assert found.json()["episode"]["outcome"] == row["outcome"]
            path = f"/api/episodes/{row['episode_id']}/steps"
            steps += len(client.get(path).raise_for_status().json()["steps"])
        assert client.get("/api/metrics").status_code == 200
        versions = client.get("/api/policies").raise_for_status().json()
    assert steps == STEPS
    assert {each["version"] for each in versions["policies"]} == set(range(1, VERSIONS + 1))


def test_an_old_outbox_is_sent_and_goes_on(
    old: Path, server: RunningServer, tmp_path: Path
) -> None:
    path = tmp_path / "outbox.sqlite"
    shutil.copy(old / "outbox.sqlite", path)
    with OutboxWriter(path, linger_s=0.0, min_free_bytes=0) as writer:
        write_episode(writer, 5)  # the robot of today appends behind what was there
    reader = asyncio.run(_send_all(path, server))
    assert (reader.counts().pending, reader.counts().set_aside) == (0, 0)
    reader.close()
    with server.database.engine.connect() as connection:
        query = (
            "SELECT stored_steps, outcome FROM episodes WHERE robot = 'panda-sim' "
            "AND cause IN ('the cube is up') OR stored_steps = 4 ORDER BY episode_id"
        )
        rows = [tuple(row) for row in connection.execute(text(query))]
    assert rows[:2] == [(13, "success"), (8, "success")]
    assert rows[2][0] == 4, "the cut episode keeps what it had"
    assert rows[3] == (6, "success")


async def _send_all(path: Path, server: RunningServer) -> OutboxReader:
    headers = server.bearer("robot", "panda-sim")
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        reader = OutboxReader(path)
        uplink = Uplink(
            reader,
            client,
            sent_beside(path),
            robot="panda-sim",
            log=lambda _text: None,
            linger_s=0.0,
            poll_s=0.005,
        )
        running = asyncio.create_task(uplink.run())
        async with asyncio.timeout(60):
            while reader.counts().pending:  # noqa: ASYNC110 (another process would be asked so)
                await asyncio.sleep(0.01)
        uplink.drain()
        await running
        return reader


def test_an_old_learner_goes_on_from_its_state(
    old: Path, task: Task, server: RunningServer, tmp_path: Path
) -> None:
    data = tmp_path / "learner"
    shutil.copytree(old / "learner", data)
    said: list[str] = []
    stop = threading.Event()
    token = server.token("learner")
    client = ServerClient(server.url, token, stop, say=said.append)
    learner = Learner(
        LearnerSettings(
            task=task, server_url=server.url, token=token, data_folder=data, lockstep=True
        ),
        client,
        stop,
    )
    watching = threading.Thread(target=_stop_when_read, args=(learner, stop))
    watching.start()
    learner.run()
    watching.join()
    client.close()
    assert learner.replay.received == TRAINABLE, said
    assert learner.publisher.version == VERSIONS, "it does not publish the start again"
    assert not [text for text in said if "left out" in text]


def _stop_when_read(learner: Learner, stop: threading.Event) -> None:
    """All that there is, however slow the machine; more than that would show as well."""
    for _ in range(1000):
        if learner.replay.received >= TRAINABLE:
            break
        time.sleep(0.1)
    time.sleep(0.5)
    stop.set()


def test_an_old_policy_on_the_robot_can_act(old: Path, task: Task) -> None:
    holder = PolicyHolder(task, old / "robot_policies", 0)
    stored = holder._stored(VERSIONS)
    assert stored is not None
    holder.offer(stored)
    holder.swap()
    assert holder.version == VERSIONS
