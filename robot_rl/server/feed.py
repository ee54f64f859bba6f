"""The learner's feed: events numbered in commit order, and who waits for them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

import psycopg
from psycopg import sql
from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, text, update

from robot_rl.errors import Conflict
from robot_rl.schema.feed import FeedEvent, FeedItem, FeedPage
from robot_rl.server.database import Database
from robot_rl.server.tables import FeedCounterTable, FeedTable

CHANNEL = "robot_rl_feed"
PAGE_LIMIT = 500
RECONNECT_S = 1.0

_log = logging.getLogger(__name__)
EVENT: TypeAdapter[FeedEvent] = TypeAdapter(FeedEvent)


def append(connection: Connection, task: str, events: Sequence[FeedEvent]) -> None:
    """Numbers and stores events; the last thing a transaction does.

    The counter's row stays locked until the commit: no number is seen before a smaller one.
    """
    if not events:
        return
    last = connection.execute(
        update(FeedCounterTable)
        .values(last_number=FeedCounterTable.last_number + len(events))
        .returning(FeedCounterTable.last_number)
    ).scalar_one()
    first = last - len(events) + 1
    connection.execute(
        insert(FeedTable),
        [
            {"number": number, "task": task, "event": EVENT.dump_python(event, mode="json")}
            for number, event in enumerate(events, start=first)
        ],
    )
    connection.execute(
        text("SELECT pg_notify(:channel, :task)"), {"channel": CHANNEL, "task": task}
    )


def hold(connection: Connection) -> None:
    """Until the commit nobody else appends: what is read from here on is the whole feed."""
    connection.execute(select(FeedCounterTable.last_number).with_for_update())


class FeedBehind(Conflict):
    """A reader has seen more than the database ever gave out: one plain sentence."""


def read(database: Database, task: str, after: int, limit: int = PAGE_LIMIT) -> FeedPage:
    """What came after number `after`, at most `limit` items. Raises FeedBehind."""
    query = (
        select(FeedTable.number, FeedTable.event)
        .where(FeedTable.task == task, FeedTable.number > after)
        .order_by(FeedTable.number)
        .limit(limit)
    )
    with database.engine.connect() as connection:
        rows = connection.execute(query).all()
        if not rows:
            _check_given_out(connection, after)
    items = tuple(
        FeedItem(number=row.number, event=EVENT.validate_python(row.event)) for row in rows
    )
    return FeedPage(items=items, cursor=items[-1].number if items else after)


def _check_given_out(connection: Connection, after: int) -> None:
    """Else the reader would wait for ever: its next number is one that it has seen already."""
    last = connection.execute(select(FeedCounterTable.last_number)).scalar_one()
    if after > last:
        raise FeedBehind(
            f"the reader has seen item {after} and the database holds {last} items: it was emptied "
            "or restored from an older backup since; start the reader again, and a learner anew"
        )


class FeedNotifier:
    """Wakes readers that wait for a task's next event. Postgres notifies it (LISTEN)."""

    def __init__(self, database: Database) -> None:
        self._dsn = database.dsn
        self._rung: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._closed = False
        self.waiting = 0
        """How many wait now."""

    def count(self, task: str) -> int:
        """How many notices a task has had; ask before reading the feed."""
        return self._rung[task]

    @property
    def closed(self) -> bool:
        return self._closed

    async def wait(self, task: str, seen: int, timeout_s: float) -> None:
        """Until there is a notice after `seen`, the time is over, or the server stops."""
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                while self._rung[task] == seen and not self._closed:
                    await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Nobody waits any longer."""
        self._closed = True
        self._changed.set()

    async def listen(self) -> None:
        """Runs until cancelled; connects again when Postgres was away."""
        while True:
            try:
                await self._listen_once()
            except psycopg.OperationalError as error:
                _log.warning("feed: lost the database, connecting again: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._ring(*self._rung)  # whatever was written while nobody listened
            async for notice in connection.notifies():
                self._ring(notice.payload)

    def _ring(self, *tasks: str) -> None:
        for task in tasks:
            self._rung[task] += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if self._closed:
            self._changed.set()
