"""The actor's side of the durable path: append without waiting, written by a thread of its own.

What is appended is on the disk within `linger_s` plus one fsync. A disk that fails never raises in
the actor: `accepting` turns False, what is queued is tried again every second, and only a full
queue drops: `state.dropped` counts it, and `damaged` says of which episode. An error that is none
of the disk's ends the thread: then everything drops, and `state.problem` says why.
"""

import sqlite3
import sys
import threading
import time
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from robot_rl.daemon.data_folder import MIN_FREE_BYTES, free_bytes
from robot_rl.daemon.outbox.file import (
    BadOutbox,
    close_cleanly,
    insert_event,
    insert_step,
    is_doubted,
    last_number,
    open_for_writing,
    reopen,
    transaction,
)
from robot_rl.schema.episode import RobotEvent
from robot_rl.schema.segment import RecordedStep

LINGER_S = 0.1  # how long a commit waits for further rows; a power cut loses at most this much
QUEUE_ROWS = 4096
QUEUE_BYTES = 128 * 2**20
_NOT_YET = "the outbox is not open yet"
_RETRY_S = 1.0
_COMMIT_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """`accepting` False: start no new episode, and say `problem`."""

    accepting: bool
    problem: str  # one sentence, empty when all is well
    queued: int  # rows not yet on the disk
    dropped: int  # rows lost since the start because the disk failed for too long
    free_bytes: int


class OutboxWriter:
    """Appends in recorded order. One writer per file: the lock on the data folder sees to it."""

    def __init__(
        self,
        path: Path,
        *,
        linger_s: float = LINGER_S,
        min_free_bytes: int = MIN_FREE_BYTES,
        queue_rows: int = QUEUE_ROWS,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._path = path
        self._linger_s = linger_s
        self._min_free_bytes = min_free_bytes
        self._queue_rows, self._queue_bytes = queue_rows, queue_bytes
        self._queue: deque[RecordedStep | RobotEvent] = deque()
        self._bytes = 0
        self._dropped = 0
        self._damaged: set[UUID] = set()
        self._problem = _NOT_YET
        self._told: set[str] = set()  # problems, or names of their kinds, since all was well
        self._free_bytes = 0
        self._flushing = 0
        self._in_doubt: tuple[int, int] | None = None  # (rows, last number) of a broken commit
        self._closing = False
        self._broken = False  # the thread has ended by an error that is none of the disk's
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()
        with self._changed:  # the first attempt to open decides whether the actor may begin
            self._changed.wait_for(lambda: self._problem != _NOT_YET, 10.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def accepting(self) -> bool:
        """Whether a new episode could be kept."""
        return not self._problem

    @property
    def state(self) -> OutboxState:
        with self._changed:
            return OutboxState(
                accepting=not self._problem,
                problem=self._problem,
                queued=len(self._queue),
                dropped=self._dropped,
                free_bytes=self._free_bytes,
            )

    def damaged(self, episode_id: UUID) -> bool:
        """Whether something of this episode was dropped: it must be marked incomplete."""
        with self._changed:
            return episode_id in self._damaged

    def append_step(self, record: RecordedStep) -> bool:
        """Queue a step; never blocks on the disk. False when it had to be dropped."""
        return self._append(record, record.step.episode_id)

    def append_event(self, event: RobotEvent) -> bool:
        """Queue an event; never blocks on the disk. False when it had to be dropped."""
        return self._append(event, event.episode_id)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was appended is on the disk; False after `timeout_s`."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._queue, timeout_s)
            self._flushing -= 1
            return done and not self._broken

    def close(self, timeout_s: float = 3.0) -> bool:
        """Write what is queued and close; False when the disk did not take it in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not (self._thread.is_alive() or self._queue or self._broken)

    def _append(self, content: RecordedStep | RobotEvent, episode_id: UUID | None) -> bool:
        size = _image_bytes(content)
        with self._changed:
            full = len(self._queue) >= self._queue_rows or self._bytes + size > self._queue_bytes
            if full or self._closing or self._broken:
                self._dropped += 1
                if episode_id is not None:
                    self._damaged.add(episode_id)
                return False
            self._queue.append(content)
            self._bytes += size
            self._changed.notify_all()
            return True

    # ---- the writer's thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 (told as the state: nobody waits for the thread)
            self._report(
                "what the robot records cannot be kept until the software is started again: "
                f"{self._path}: {error!r}"
            )
            with suppress(OSError):
                traceback.print_exc()
            self._give_up()

    def _give_up(self) -> None:
        """Drop what is queued: nobody will write it."""
        with self._changed:
            self._broken = True
            self._dropped += len(self._queue)
            for row in self._queue:
                episode = row.step.episode_id if isinstance(row, RecordedStep) else row.episode_id
                if episode is not None:
                    self._damaged.add(episode)
            self._queue.clear()
            self._bytes = 0
            self._changed.notify_all()

    def _write(self) -> None:
        connection: sqlite3.Connection | None = None
        opened_before = False
        while True:
            try:
                if connection is None:
                    connection = (reopen if opened_before else open_for_writing)(self._path)
                    opened_before = True
                    self._settle(connection)
                self._look_at_the_disk()
                while not self._wait_for_rows():
                    self._look_at_the_disk()
                self._commit(connection)
                if self._closing and not self._queue:
                    close_cleanly(connection)
                    return
            except (sqlite3.Error, OSError, BadOutbox) as error:
                self._report(f"what the robot records cannot be kept: {self._path}: {error}")
                if connection is not None:
                    connection.close()
                    connection = None
                with self._changed:
                    if self._closing:
                        return
                    self._changed.wait_for(lambda: self._closing, _RETRY_S)

    def _wait_for_rows(self) -> bool:
        """Wait for the first row, then a little for more. False: look at the disk again."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._queue or self._closing, _RETRY_S):
                return False
            self._changed.wait_for(
                lambda: self._closing or self._flushing or len(self._queue) >= _COMMIT_ROWS,
                self._linger_s,
            )
            return True

    def _commit(self, connection: sqlite3.Connection) -> None:
        """One transaction of up to _COMMIT_ROWS."""
        with self._changed:
            rows = [self._queue[index] for index in range(min(len(self._queue), _COMMIT_ROWS))]
        if not rows:
            return
        self._in_doubt = (len(rows), last_number(connection) + len(rows))
        with transaction(connection):
            for row in rows:
                if isinstance(row, RecordedStep):
                    insert_step(connection, row)
                else:
                    insert_event(connection, row)
        self._forget(len(rows))

    def _settle(self, connection: sqlite3.Connection) -> None:
        """After a commit that failed: did the disk keep it after all? Then it is not repeated."""
        if self._in_doubt is not None:
            rows, last = self._in_doubt
            if last_number(connection) >= last:
                self._forget(rows)
            self._in_doubt = None

    def _forget(self, rows: int) -> None:
        """Rows leave the queue only once they are on the disk."""
        with self._changed:
            for _ in range(rows):
                self._bytes -= _image_bytes(self._queue.popleft())
            self._in_doubt = None
            self._changed.notify_all()

    def _look_at_the_disk(self) -> None:
        if is_doubted(self._path):
            raise sqlite3.DatabaseError("a part of it cannot be read, and it is built anew")
        free = self._free_bytes = free_bytes(self._path.parent)
        if free < self._min_free_bytes:
            self._report(
                f"the disk of {self._path.parent} is nearly full: {free // 2**20} MiB free, "
                f"{self._min_free_bytes // 2**20} MiB needed; make room there",
                state="nearly full",
            )
        else:
            self._report("")

    def _report(self, problem: str, *, state: str = "") -> None:
        """Tell a change of state, once until all is well: a full disk is two problems in turn.

        `state` names one whose sentence has changing numbers.
        """
        with self._changed:
            kind = state or problem
            if not problem:
                self._told.clear()
            if problem != self._problem:
                self._problem = problem
                if problem and kind not in self._told:
                    self._told.add(kind)
                    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                    with suppress(OSError):  # stderr may be a file on the very disk that is full
                        sys.stderr.write(f"{stamp} outbox: {problem}\n")
                self._changed.notify_all()


def _image_bytes(content: RecordedStep | RobotEvent) -> int:
    if not isinstance(content, RecordedStep):
        return 0
    return sum(len(jpeg) for jpeg in content.images.values())
