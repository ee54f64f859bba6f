"""Lock-step meetings: virtual time waits for the durable path and the learner, and not for ever."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from benchmarks.recording import write_episode
from robot_rl.config import load_cell, load_task
from robot_rl.daemon.link import lockstep
from robot_rl.daemon.link.lockstep import PATIENCE_S, START_PATIENCE_S, LearnerWatch
from robot_rl.daemon.link.meeting import Meetings
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxCounts, OutboxReader
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.schema.feed import Excluded, FeedItem, FeedPage
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import LearnerProgress

LAG_STEPS = 20


def progress(
    cursor: int, *, version: int | None = 1, updates: int = 0, offline: bool = False
) -> LearnerProgress:
    return LearnerProgress(
        task="lift_cube", feed_cursor=cursor, env_steps=0, learner_step=updates, steps_per_s=1.0,
        demonstration_steps=0, replay_steps=0, losses={}, version=version,
        offline=offline, paused=False,
    )  # fmt: skip


class Lab:
    """A server with a feed of `items` items, an outbox, and what a meeting did."""

    def __init__(self, folder: Path) -> None:
        self.settings = DaemonSettings(
            cell=load_cell("simulation"),
            task=load_task("lift_cube"),
            data_folder=folder,
            server_url="http://lab",
            lockstep=True,
            learner_lag_steps=LAG_STEPS,
        )
        self.items, self.asked, self.followed = 0, 0, 0
        self.online, self.problem = True, ""
        self.said: list[str] = []
        self.hurried: list[bool] = []
        self.meetings: Meetings

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/feed"
        self.asked += 1
        after = int(request.url.params["after"])
        event = Excluded(episode_id=new_id(), excluded=True, author="ada", t_utc=utc_now())
        items = (FeedItem(number=after + 1, event=event),) if after < self.items else ()
        page = FeedPage(items=items, cursor=after + len(items))
        return httpx.Response(200, content=page.model_dump_json())

    async def follow(self) -> None:
        self.followed += 1

    def run(self, story: Callable[["Lab"], Awaitable[None]]) -> None:
        async def go() -> None:
            transport = httpx.MockTransport(self.answer)
            async with httpx.AsyncClient(base_url="http://lab", transport=transport) as client:
                uplink: Any = SimpleNamespace(
                    state=SimpleNamespace(problem=self.problem), hurry=self.hurried.append
                )
                downloads: Any = SimpleNamespace(follow=self.follow)
                self.meetings = Meetings(
                    self.settings, client, uplink, downloads,
                    online=lambda: self.online, log=self.said.append,
                )  # fmt: skip
                async with asyncio.timeout(60):
                    await story(self)

        asyncio.run(go())


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def still_waits(waiting: "asyncio.Task[None]") -> bool:
    """Whether a meeting goes on after everything that could end it has had its turn."""
    for _ in range(20):
        await asyncio.sleep(0.005)
    return not waiting.done()


def test_time_goes_on_when_everything_recorded_is_learned_from(lab: Lab) -> None:
    async def story(lab: Lab) -> None:
        with OutboxWriter(lab.settings.outbox_file, linger_s=0.0) as writer:
            write_episode(writer, 3)
            assert writer.flush()
        lab.meetings.hear(progress(5))
        lab.items = 5
        waiting = asyncio.create_task(lab.meetings.hold())
        assert await still_waits(waiting), "what was recorded is not stored yet"
        assert lab.hurried == [True], "the uplink sends what it has"
        reader = OutboxReader(lab.settings.outbox_file)
        lab.items = 9
        reader.delete_through(reader.counts().last)  # acknowledged: it is in the feed
        reader.close()
        assert await still_waits(waiting), "the learner has not read it yet"
        lab.meetings.hear(progress(8))
        assert await still_waits(waiting)
        assert lab.followed == 0, "no policy is handed over before"
        lab.meetings.hear(progress(9))
        await waiting
        assert lab.hurried == [True, False]
        assert lab.followed == 1
        assert lab.asked < 20, "the server is asked when the learner moves, not all the time"

    lab.run(story)


def test_what_other_robots_send_meanwhile_is_not_waited_for(lab: Lab) -> None:
    """Else a robot would stand still for as long as another one records."""

    async def story(lab: Lab) -> None:
        lab.items = 5
        lab.meetings.hear(progress(0))
        waiting = asyncio.create_task(lab.meetings.hold())
        assert await still_waits(waiting)
        lab.items = 8
        lab.meetings.hear(progress(4))
        assert await still_waits(waiting)
        lab.meetings.hear(progress(5))
        async with asyncio.timeout(5):
            await waiting
        lab.meetings.hear(progress(6))
        waiting = asyncio.create_task(lab.meetings.hold())
        assert await still_waits(waiting), "the next meeting waits for it"
        lab.meetings.hear(progress(8))
        await waiting

    lab.run(story)


def test_time_begins_with_a_started_learner(lab: Lab) -> None:
    async def story(lab: Lab) -> None:
        waiting = asyncio.create_task(lab.meetings.begin())
        lab.meetings.hear(progress(0, version=None))  # it loads
        assert await still_waits(waiting)
        lab.meetings.hear(progress(0, version=1, offline=True))  # it learns from demonstrations
        assert await still_waits(waiting)
        lab.meetings.hear(progress(0, version=2))
        await waiting
        assert lab.followed == 1

    lab.run(story)


@pytest.mark.parametrize("what", ["offline", "uplink"])
def test_nobody_is_waited_for_while_the_server_is_away(lab: Lab, what: str) -> None:
    async def story(lab: Lab) -> None:
        lab.items = 5
        lab.meetings.hear(progress(0))
        lab.online = what != "offline"
        await lab.meetings.hold()

    lab.problem = "the server does not answer" if what == "uplink" else ""
    lab.run(story)
    assert not lab.said


def test_an_outbox_that_cannot_be_read_just_now_is_read_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(lab: Lab) -> None:
        broken = [sqlite3.OperationalError("disk I/O error"), OSError("gone")]
        whole = OutboxReader.counts

        def counts(reader: OutboxReader) -> OutboxCounts:
            if broken:
                raise broken.pop()
            return whole(reader)

        monkeypatch.setattr(OutboxReader, "counts", counts)
        lab.meetings.hear(progress(0))
        await lab.meetings.hold()
        assert not broken

    lab.run(story)


def test_a_silent_learner_is_given_up_until_it_is_heard_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockstep, "PATIENCE_S", 0.1)

    async def story(lab: Lab) -> None:
        lab.items = 5
        lab.meetings.hear(progress(0))
        await lab.meetings.hold()
        assert len(lab.said) == 1
        assert "going on without it" in lab.said[0]
        await lab.meetings.hold()
        assert len(lab.said) == 1, "it is not waited for a second time"
        lab.meetings.hear(progress(1))
        await lab.meetings.hold()
        assert len(lab.said) == 2, "it was waited for again"

    lab.run(story)


def test_without_a_learner_only_the_policy_is_looked_at(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    object.__setattr__(lab.settings, "learner_lag_steps", None)

    async def story(lab: Lab) -> None:
        lab.items = 5
        await lab.meetings.begin()
        await lab.meetings.hold()
        assert (lab.followed, lab.asked) == (2, 0)

    lab.run(story)


def test_meetings_are_at_fixed_instants_of_virtual_time(lab: Lab) -> None:
    async def story(lab: Lab) -> None:
        every_ns, turn_ns = LAG_STEPS * lab.settings.task.step_ns, 50_000_000
        turns = range(1_250_000, 3 * every_ns + turn_ns, turn_ns)
        met = [turn for turn in turns[1:] if lab.meetings.due(turn, turn - turn_ns)]
        assert met == [every_ns + 1_250_000, 2 * every_ns + 1_250_000, 3 * every_ns + 1_250_000]

    lab.run(story)


def test_a_learner_is_waited_for_as_long_as_it_moves() -> None:
    watch = LearnerWatch(since_s=0.0)
    assert not watch.silent(START_PATIENCE_S - 1.0), "it loads"
    assert watch.silent(START_PATIENCE_S)
    watch.hear(progress(3, updates=1), 10.0)
    assert not watch.silent(10.0 + PATIENCE_S - 1.0)
    watch.hear(progress(3, updates=1), 20.0)  # nothing moved
    assert watch.silent(10.0 + PATIENCE_S)
    watch.hear(progress(3, updates=2), 10.0 + PATIENCE_S)
    assert not watch.silent(11.0 + PATIENCE_S)
    watch.give_up()
    assert watch.given_up
    watch.hear(progress(3, updates=2), 90.0)  # any word of it counts
    assert not watch.given_up
