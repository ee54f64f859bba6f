"""The uplink's thread: when it dies the link ends, so that the supervisor starts both again."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.recording import recorded, started
from robot_rl.config import load_cell, load_task
from robot_rl.daemon.link import uplink
from robot_rl.daemon.link.link import Link
from robot_rl.daemon.log import Log
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.memory import Memory
from robot_rl.schema.message import new_id


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[DaemonSettings]:
    made = DaemonSettings(
        cell=load_cell("simulation"),
        task=load_task("lift_cube"),
        data_folder=tmp_path,
        server_url="http://127.0.0.1:9",  # nobody is there
        token="secret",
    )
    Memory(made)
    yield made
    shutil.rmtree(made.memory)


async def run_link(settings: DaemonSettings, stop_after_s: float) -> None:
    stopping = asyncio.Event()
    link = asyncio.create_task(Link(settings, Log(None, "link")).run(stopping))
    await asyncio.wait((link,), timeout=stop_after_s)
    stopping.set()
    await link


def test_the_link_ends_with_its_uplink(
    settings: DaemonSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect in the uplink")

    monkeypatch.setattr(uplink.Refill, "look", broken)  # it asks before it sends
    episode = new_id()
    with OutboxWriter(settings.outbox_file, min_free_bytes=0) as outbox:
        outbox.append_event(started(episode))
        outbox.append_step(recorded(episode, 0))
    with pytest.raises(ZeroDivisionError, match="a defect in the uplink"):
        asyncio.run(run_link(settings, 30.0))


def test_an_unreachable_server_ends_nothing(settings: DaemonSettings) -> None:
    asyncio.run(run_link(settings, 0.5))
