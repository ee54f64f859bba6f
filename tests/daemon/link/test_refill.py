"""A server is restored from a backup: robots send again what came after it, each thing once."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from benchmarks.recording import ended, picture, recorded, sent_beside, started
from robot_rl.daemon.link.uplink import Uplink
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.daemon.outbox.sent import SENT, SentBatches
from robot_rl.schema.episode import RobotEvent, SafetyEvent
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.segment import RecordedStep
from robot_rl.server import acknowledged, backup, integrity
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database
from robot_rl.server.episode import records
from tests.server.conftest import (  # noqa: F401 (fixtures)
    RunningServer,
    blobs,
    database,
    empty,
    postgres,
    server,
    serving,
)

pytestmark = pytest.mark.slow  # starts Postgres
NAMES = ("panda-1", "panda-2", "panda-3")
STEPS = 25
LITTLE_BYTES = 400_000  # of kept batches: the newest episodes
PICTURE_BYTES = 3000


class _Spied(httpx.AsyncHTTPTransport):
    """Notes of each batch: its epoch, and whether it went ahead of its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[UUID, bool]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        found = re.search(rb'"boot_epoch":"([^"]+)","first_sequence"', content)
        if found is not None:
            self.batches.append((UUID(found[1].decode()), b'"ahead":true' in content))
        return await super().handle_async_request(request)


@dataclass(kw_only=True)
class Robot:
    """Its recording, and what should become of it."""

    name: str
    folder: Path
    bearer: dict[str, str]
    said: list[str] = field(default_factory=list)
    pictures: dict[UUID, list[bytes]] = field(default_factory=dict)
    events: set[UUID] = field(default_factory=set)
    running: UUID | None = None
    uplink: Uplink | None = None
    keep_bytes: int = 2**30

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox.sqlite"

    def episode(self, writer: OutboxWriter, *, begun: bool = True, ends: bool = True) -> None:
        """Half of an episode, or both: its event lies in the middle."""
        episode = new_id() if begun or self.running is None else self.running
        pictures = self.pictures.setdefault(episode, [])
        if begun:
            self.append(writer, started(episode, robot=self.name))
        for index in range(len(pictures), STEPS + 1 if ends else STEPS // 2):
            jpeg = picture(f"{self.name} {episode} {index}".encode().ljust(PICTURE_BYTES))
            self.append(writer, recorded(episode, index, acted=index < STEPS, jpeg=jpeg))
            pictures.append(jpeg)
        self.events.add(event := new_id())
        self.append(
            writer,
            SafetyEvent(
                event_id=event, episode_id=episode, code="stop", cause="", by="ada",
                t_robot_ns=1, t_utc=utc_now(),
            ),
        )  # fmt: skip
        if ends:
            self.append(writer, ended(episode, STEPS))
        self.running = None if ends else episode

    def append(self, writer: OutboxWriter, content: RecordedStep | RobotEvent) -> None:
        if isinstance(content, RecordedStep):
            assert writer.append_step(content)
        else:
            assert writer.append_event(content)

    def sent(self) -> SentBatches:
        return sent_beside(self.outbox, keep_bytes=self.keep_bytes)

    async def send(self, url: str, until: Callable[["Robot"], bool], spied: _Spied) -> None:
        """As the link does, until it is so; then it is cut off where it stands."""
        async with httpx.AsyncClient(transport=spied, base_url=url, headers=self.bearer) as client:
            reader, sent = OutboxReader(self.outbox), self.sent()
            self.uplink = Uplink(
                reader, client, sent, robot=self.name, log=self.said.append,
                linger_s=0.0, poll_s=0.005, longest_backoff_s=0.05,
            )  # fmt: skip
            running = asyncio.create_task(self.uplink.run())
            while not until(self):
                await asyncio.sleep(0.005)
                assert not running.done(), running.exception()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            reader.close()
            sent.close()

    @property
    def pending(self) -> int:
        reader = OutboxReader(self.outbox)
        try:
            return reader.counts().pending
        finally:
            reader.close()

    def all_is_sent(self) -> bool:
        state = self.uplink.state if self.uplink is not None else None
        return state is not None and state.connected and not state.refill and not self.pending

    def some_is_sent_again(self) -> bool:
        state = self.uplink.state if self.uplink is not None else None
        return state is not None and state.connected and 0 < state.refill < 3 * STEPS


def send(
    url: str, robots: list[Robot], until: Callable[[Robot], bool] = Robot.all_is_sent
) -> list[_Spied]:
    spied = [_Spied() for _ in robots]

    async def work() -> None:
        async with asyncio.timeout(90):
            pairs = zip(robots, spied, strict=True)
            await asyncio.gather(*(robot.send(url, until, spy) for robot, spy in pairs))

    try:
        asyncio.run(work())
    except TimeoutError:
        pytest.fail(f"{[(r.name, r.said, r.uplink and r.uplink.state, r.pending) for r in robots]}")
    return spied


@dataclass(frozen=True, kw_only=True)
class Lab:
    """After the restore: each robot has ended episodes and one that runs, and all of it was
    acknowledged; the restored server has some.
    """

    robots: list[Robot]
    server: RunningServer  # the one that was lost
    database: Database
    folder: Path

    @property
    def blobs(self) -> FolderBlobs:
        return FolderBlobs(self.folder / "restored" / "blobs")

    @contextmanager
    def serving(self) -> Iterator[RunningServer]:
        """On the restored database; a server revokes the tokens that its environment lacks."""
        settings = replace(self.server.settings, data=self.folder / "restored", port=0)
        with serving(settings, self.database) as again:
            for robot in self.robots:
                robot.bearer = again.bearer("robot", robot.name)
            yield again

    def go_on(self) -> None:
        """The running episodes end, and each robot records one more."""
        for robot in self.robots:
            with OutboxWriter(robot.outbox, linger_s=0.0) as writer:
                robot.episode(writer)

    def check(self) -> None:
        """All of it is there, and each thing once."""
        found = integrity.look(self.database, self.blobs, read=True)
        assert found.sound, found
        assert found.lost == ()
        with self.database.engine.connect() as connection:
            rows = connection.execute(text(
                "SELECT robot, episode_id, stored_steps, steps, outcome, complete, "
                "(SELECT count(*) FROM labels l WHERE l.episode_id = e.episode_id) AS labels "
                "FROM episodes e"
            )).all()  # fmt: skip
            events = connection.execute(text("SELECT event_id FROM safety_events")).scalars().all()
        wanted = {
            (robot.name, episode, STEPS + 1, STEPS, "success", True, 1)
            for robot in self.robots
            for episode in robot.pictures
        }
        assert {tuple(row) for row in rows} == wanted
        assert len(rows) == len(wanted)
        assert sorted(events) == sorted(set[UUID]().union(*(r.events for r in self.robots)))
        for robot in self.robots:
            for episode, pictures in robot.pictures.items():
                kept = records(self.database, self.blobs, episode)
                assert [record.step.index for record in kept] == [*range(STEPS + 1)]
                assert [record.images["front"] for record in kept] == pictures


@pytest.fixture
def lab(server: RunningServer, empty: Database, tmp_path: Path) -> Lab:  # noqa: F811
    robots = [
        Robot(name=name, folder=tmp_path / name, bearer=server.bearer("robot", name))
        for name in NAMES
    ]
    writers = [OutboxWriter(robot.outbox, linger_s=0.0) for robot in robots]

    def record(episodes: int, *, ends: bool = True) -> None:
        for robot, writer in zip(robots, writers, strict=True):
            for _ in range(episodes):
                robot.episode(writer)
            if not ends:
                robot.episode(writer, ends=False)
            assert writer.flush()

    record(1)
    send(server.url, robots)
    record(3)
    begun = threading.Event()

    def see(robot: Robot) -> bool:
        begun.set()
        return robot.all_is_sent()

    sending = threading.Thread(target=send, args=(server.url, robots, see))
    sending.start()
    assert begun.wait(60)
    backup.make(
        server.database, FolderBlobs(server.settings.blob_folder), tmp_path / "backup",
        seen=lambda: None,
    )  # fmt: skip
    sending.join()
    record(4, ends=False)
    send(server.url, robots)
    made = Lab(robots=robots, server=server, database=empty, folder=tmp_path)
    backup.restore(empty, made.blobs, tmp_path / "backup", seen=lambda: None)
    for robot, writer in zip(robots, writers, strict=True):  # the robots have never stopped
        robot.episode(writer, begun=False)
        writer.close()
    return made


def test_robots_fill_the_gap_and_what_is_fresh_waits_for_none(lab: Lab) -> None:
    with lab.serving() as again:
        spied = send(again.url, lab.robots)
        for robot, spy in zip(lab.robots, spied, strict=True):
            assert robot.uplink is not None
            assert robot.uplink.state.lost == 0
            assert any("restored from a backup" in line for line in robot.said)
            epochs = [epoch for epoch, ahead in spy.batches if not ahead]
            old, fresh = (epochs.count(epoch) for epoch in (epochs[-1], epochs[0]))
            assert old > fresh > 0
            assert any(ahead for _, ahead in spy.batches)  # the start of the running episode
            assert epochs.index(epochs[-1]) == 1, "one and one in turn, the fresh one first"
        lab.check()
        lab.go_on()
        send(again.url, lab.robots)
        lab.check()


def test_robots_and_server_are_killed_while_they_fill_the_gap(lab: Lab) -> None:
    with lab.serving() as again:
        send(again.url, lab.robots, Robot.some_is_sent_again)
    lab.go_on()
    with lab.serving() as again:
        send(again.url, lab.robots)
        lab.check()


@pytest.mark.parametrize("keep_bytes", [0, LITTLE_BYTES], ids=["all", "the older ones"])
def test_what_is_kept_no_more_is_said_and_noted(lab: Lab, keep_bytes: int) -> None:
    for robot in lab.robots:
        robot.keep_bytes = keep_bytes
        if keep_bytes:
            with OutboxWriter(robot.outbox, linger_s=0.0) as writer:
                robot.episode(writer)
        else:
            (robot.folder / SENT).unlink()
    with lab.serving() as again:
        if keep_bytes:  # the next batch that is acknowledged makes room
            for robot in lab.robots:
                sent = robot.sent()
                first = sent.after(robot_server(lab), epoch_of(robot), 0)
                assert first is not None
                sent.keep(robot_server(lab), first.header, first.files)
                sent.close()
        send(again.url, lab.robots)
        lost = {each.robot: each.rows for each in acknowledged.lost_rows(lab.database)}
        for robot in lab.robots:
            assert robot.uplink is not None
            assert robot.uplink.state.lost == lost[robot.name] > 0
            assert any("are lost" in line for line in robot.said), robot.said
        assert integrity.look(lab.database, lab.blobs, read=True).sound
        fresh: list[UUID] = []
        for robot in lab.robots:
            with OutboxWriter(robot.outbox, linger_s=0.0) as writer:
                robot.episode(writer)
            fresh.append([*robot.pictures][-1])
        send(again.url, lab.robots)
        assert all(len(records(lab.database, lab.blobs, each)) == STEPS + 1 for each in fresh)
        assert {each.robot: each.rows for each in acknowledged.lost_rows(lab.database)} == lost


def robot_server(lab: Lab) -> UUID:
    with lab.database.engine.connect() as connection:
        return connection.execute(text("SELECT server_id FROM server_identity")).scalar_one()


def epoch_of(robot: Robot) -> UUID:
    reader = OutboxReader(robot.outbox)
    try:
        return reader.acknowledged()[-1].epoch
    finally:
        reader.close()
