"""Lock-step: the instants at which virtual time waits for the durable path and for the learner.

Between two meetings the learner trains beside the robot, at its own speed. At a meeting everything
that was recorded before it is stored, the learner has taken all of it in, and the policy that is
wanted then is handed to the actor. So which version acts at which step depends on the recorded data
alone, never on how fast a process, a disk or a network was.

Of several robots that feed one learner, each meets it by its own clock. A meeting waits for what
the server had when all of its own robot's was stored, whoever recorded it, and not for what others
send after that: no robot waits for another one's meeting. How far the others were then depends on
how fast they ran, so that such runs do not repeat.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx
from pydantic import ValidationError

from robot_rl.daemon.link.download import Downloads
from robot_rl.daemon.link.lockstep import LearnerWatch
from robot_rl.daemon.link.uplink_thread import UplinkThread
from robot_rl.daemon.outbox.file import BadOutbox
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.schema.feed import FeedPage
from robot_rl.schema.policy import LearnerProgress

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_LOOK_S = 0.01
_RETRY_S = 0.5


class Meetings:
    """`begin` returns when virtual time may begin, `hold` when it may go on."""

    def __init__(
        self,
        settings: DaemonSettings,
        client: httpx.AsyncClient,
        uplink: UplinkThread,
        downloads: Downloads,
        *,
        online: Callable[[], bool],
        log: Callable[[str], None],
    ) -> None:
        """`online`: whether the live connection stands, over which the learner is heard."""
        self._settings, self._client = settings, client
        self._uplink, self._downloads = uplink, downloads
        self._online, self._log = online, log
        self._outbox = OutboxReader(settings.outbox_file)
        self._learner = LearnerWatch(since_s=time.monotonic())
        self._heard = asyncio.Event()
        self._wanted: int | None = None  # the cursor that the learner has to reach; None: not known

    def hear(self, progress: LearnerProgress) -> None:
        """What the learner says, as it comes."""
        self._learner.hear(progress, time.monotonic())
        self._heard.set()

    def due(self, turn_ns: int, before_ns: int) -> bool:
        """Whether a meeting lies in (before, turn]."""
        every_ns = self._settings.meeting_ns
        return turn_ns // every_ns != before_ns // every_ns

    async def begin(self) -> None:
        """The first meeting: the learner has started, and its first policy is here."""
        await self._wait_for_learner(self._ready)
        await self._downloads.follow()

    async def hold(self) -> None:
        """Wait for the learner, if there is one; then hand over the policy that is wanted."""
        await self._wait_for_learner(self._caught_up)
        await self._downloads.follow()

    async def _wait_for_learner(self, met: Callable[[], Awaitable[bool]]) -> None:
        if self._settings.learner_lag_steps is None:
            return
        self._learner.wait_from(time.monotonic())
        self._uplink.hurry(True)
        self._wanted = None
        try:
            await self._wait_until(met)
        finally:
            self._uplink.hurry(False)

    async def _wait_until(self, met: Callable[[], Awaitable[bool]]) -> None:
        while not await met():
            if self._learner.silent(time.monotonic()):
                self._learner.give_up()
                self._log(
                    "lock-step waited for the learner, which does not move on: going on without "
                    "it until it is heard again"
                )
                return
            self._heard.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), _LOOK_S)

    async def _ready(self) -> bool:
        return self._online() and self._learner.started and await self._caught_up()

    async def _caught_up(self) -> bool:
        """Whether the learner has taken in everything recorded before, or cannot be waited for."""
        learner, uplink = self._learner, self._uplink.state
        if learner.given_up or not self._online() or (uplink is not None and uplink.problem):
            return True  # what it waits for would not come true
        progress = learner.progress
        if progress is None or self._recorded_waits():
            return False
        return progress.paused or await self._has_read_all(progress)

    def _recorded_waits(self) -> bool:
        """Whether something recorded is not stored yet, or cannot be read just now."""
        try:
            return self._outbox.counts().pending > 0
        except (sqlite3.Error, OSError, BadOutbox):
            return True  # the uplink reads it too: what it says of it ends this wait

    async def _has_read_all(self, progress: LearnerProgress) -> bool:
        """Whether the learner's cursor is where the server's feed ended when it was first asked."""
        if self._wanted is None:
            self._wanted = await self._end_of_feed(progress.task, progress.feed_cursor)
        return self._wanted is not None and progress.feed_cursor >= self._wanted

    async def _end_of_feed(self, task: str, cursor: int) -> int | None:
        """None where the server does not say."""
        while True:
            query = {"task": task, "after": cursor}
            try:
                response = await self._client.get("/api/feed", params=query, timeout=_TIMEOUT)
                response.raise_for_status()
                page = FeedPage.model_validate_json(response.content)
            except (httpx.HTTPError, ValidationError) as error:
                self._log(f"the server does not say how far the learner is: {error!r}")
                await asyncio.sleep(_RETRY_S)
                return None
            if not page.items:
                return cursor
            cursor = page.cursor
