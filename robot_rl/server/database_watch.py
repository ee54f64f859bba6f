"""Looks at the database once a second, and starts the embedded one again when it has died."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from robot_rl.server.database import Database, reason
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.settings import ServerProblem
from robot_rl.server.threads import BoundedThreads

LOOK_EVERY_S = 1.0
ANSWER_S = 2.0
STARTS_S = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Waits before each attempt to start Postgres again: its orphans need a moment to end."""
STEADY_S = 60.0
"""After this long without another death, Postgres has all its attempts again."""

_log = logging.getLogger(__name__)


class DatabaseWatch:
    """`problem` says in a sentence why the database cannot be used now; empty when it can.

    on_lost: called once, when the embedded Postgres cannot be started again.
    """

    def __init__(self, database: Database) -> None:
        self.problem = ""
        self.on_lost: Callable[[ServerProblem], None] = _raise
        self._database = database
        self._threads = BoundedThreads(2, 8)
        self._starts = 0
        self._died = float("-inf")

    async def run(self) -> None:
        """Until it is cancelled, or Postgres is given up."""
        while True:
            embedded = self._database.embedded
            if embedded is not None and not embedded.runs():
                self._tell("the embedded Postgres has died and is being started again")
                try:
                    await self._start(embedded)
                except ServerProblem as problem:
                    self._tell(str(problem))
                    return self.on_lost(problem)
            await self._look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _start(self, embedded: EmbeddedPostgres) -> None:
        """Raises ServerProblem after the last attempt."""
        now = asyncio.get_running_loop().time()
        if now - self._died > STEADY_S:
            self._starts = 0
        self._died = now
        while True:
            self._starts += 1
            if self._starts > len(STARTS_S):
                raise ServerProblem(
                    f"the embedded Postgres died {len(STARTS_S)} times within {STEADY_S:.0f} s of "
                    f"each other: see {embedded.log}, then start the server again"
                )
            await asyncio.sleep(STARTS_S[self._starts - 1])
            try:
                await self._threads.run(embedded.start)
            except ServerProblem as problem:
                _log.warning("%s", problem)
                if self._starts == len(STARTS_S):
                    raise
            else:
                return

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._threads.run(self._ask)
        except TimeoutError:
            self._tell(f"the database has not answered for {ANSWER_S:.0f} s")
        except (DBAPIError, PoolTimeout) as error:
            self._tell(f"the database is away: {reason(error)}")
        else:
            self._tell("")

    def _ask(self) -> None:
        with self._database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            _log.warning("%s", problem or "the database is back")
        self.problem = problem


def _raise(problem: ServerProblem) -> None:
    raise problem
