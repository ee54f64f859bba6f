"""What the routes use: made when the application starts, closed when it stops."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from robot_rl.schema.live.client_update import TrainingStatus
from robot_rl.schema.policy import LearnerProgress, PolicyVersion
from robot_rl.server import policies, upkeep
from robot_rl.server.access import AccessGuard
from robot_rl.server.accounts.attempts import SignInAttempts
from robot_rl.server.blobs import BlobStore
from robot_rl.server.control_audit import ControlAudit
from robot_rl.server.database import AWAY, Database, reason
from robot_rl.server.database_watch import DatabaseWatch
from robot_rl.server.feed import FeedNotifier
from robot_rl.server.hub import Hub
from robot_rl.server.incoming import IncomingParts
from robot_rl.server.settings import ServerSettings
from robot_rl.server.threads import HEAVY, HEAVY_WAITING, BoundedThreads, share_out

PROGRESS_SHOWN_EVERY_S = 0.25  # to people; robots hear every one
PROGRESS_KEPT_EVERY_S = 1.0
LAST_WRITES_S = 1.0
HASHED_AT_ONCE = 2  # passwords, at 64 MiB each
PROMPT_S = 0.5
AGAIN_S = 2.0
PERSISTING = 256

_log = logging.getLogger(__name__)


class Services:
    """Lives on `app.state.services`; used from the event loop only."""

    def __init__(self, settings: ServerSettings, database: Database, blobs: BlobStore) -> None:
        self.settings = settings
        self.database = database
        self.blobs = blobs
        self.incoming = IncomingParts(settings.incoming_folder, blobs)
        self.gate = AccessGuard(database, settings)
        self.sign_in_attempts = SignInAttempts()
        self.hashing = asyncio.Semaphore(HASHED_AT_ONCE)
        self.feed_notifier = FeedNotifier(database)
        self.database_watch = DatabaseWatch(database)
        self.hub = Hub()
        self.control_audit = ControlAudit(database)
        self.heavy = BoundedThreads(HEAVY, HEAVY_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._learners: dict[str, _Learner] = {}

    def begin(self) -> None:
        share_out()
        self._listening = asyncio.create_task(self.feed_notifier.listen())
        self._uses = asyncio.create_task(self.gate.keep_uses())
        self._watching = asyncio.create_task(self.database_watch.run())
        self._auditing = asyncio.create_task(self.control_audit.write())
        self._upkeep = asyncio.create_task(upkeep.run(self.database, self.blobs))

    def hang_up(self) -> None:
        """Lets everything that waits for a long time end at once: long polls and WebSockets."""
        self.feed_notifier.close()
        self.hub.stop()

    async def end(self) -> None:
        self.hang_up()
        background = (self._listening, self._uses, self._watching, self._auditing, self._upkeep)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.control_audit.flush()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_WRITES_S)
            for task in late:
                task.cancel()
        for learner in self._learners.values():
            try:
                await run_in_threadpool(policies.keep_progress, self.database, learner.progress)
            except (DBAPIError, PoolTimeout) as error:
                _log.warning("the learner's last progress is not kept: %s", reason(error))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs beside the requests; an error in it is reported by the loop when it is collected."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def promptly(self, work: Callable[[], Awaitable[None]]) -> None:
        """As `persist`, and waits for it a moment: live traffic never waits for the database."""
        task = self.persist(work)
        if task is not None:
            await asyncio.wait({task}, timeout=PROMPT_S)

    def persist(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None] | None:
        """Runs beside the requests, again and again while the database is away.

        None, and a line in the log, when too much waits for it already.
        """
        if len(self._tasks) >= PERSISTING:
            _log.warning(
                "the database is away and %d writes wait for it: one is left out", PERSISTING
            )
            return None
        return self.spawn(_until_done(work))

    async def wanted_policy(self, task: str) -> PolicyVersion | None:
        return await run_in_threadpool(policies.wanted, self.database, task)

    async def training_status(self, task: str) -> TrainingStatus:
        """From the database, with the learner's newest progress."""
        versions = await run_in_threadpool(
            policies.newest, self.database, task, policies.SHOWN_VERSIONS
        )
        learner = self._learners.get(task)
        if learner is not None:
            return TrainingStatus(progress=learner.progress, versions=versions)
        progress = await run_in_threadpool(policies.last_progress, self.database, task)
        return TrainingStatus(progress=progress, versions=versions)

    async def show_training(self, task: str) -> None:
        self.hub.show_training(task, await self.training_status(task))

    async def hear_learner(self, progress: LearnerProgress) -> None:
        """Robots hear it at once, people four times a second, the database once a second."""
        self.hub.learner_heard(progress)
        learner = self._learners.get(progress.task)
        if learner is None:
            learner = self._learners[progress.task] = _Learner(progress)
        learner.progress = progress
        now = time.monotonic()
        if now - learner.kept >= PROGRESS_KEPT_EVERY_S:
            learner.kept = now
            await run_in_threadpool(policies.keep_progress, self.database, progress)
        if not learner.showing:
            learner.showing = True
            self.spawn(self._show_progress(learner))

    async def _show_progress(self, learner: "_Learner") -> None:
        wait_s = learner.shown + PROGRESS_SHOWN_EVERY_S - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        learner.showing, learner.shown = False, time.monotonic()
        task = learner.progress.task
        status = self.hub.training(task)
        if status is None:
            await self.show_training(task)
        else:
            self.hub.show_training(task, status.model_copy(update={"progress": learner.progress}))


async def _until_done(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await work()
        except AWAY as error:
            _log.warning("the database is away, trying again: %s", reason(error))
        await asyncio.sleep(AGAIN_S)


class _Learner:
    """What is known of a task's learner."""

    def __init__(self, progress: LearnerProgress) -> None:
        self.progress = progress
        self.kept = 0.0
        self.shown = 0.0
        self.showing = False
