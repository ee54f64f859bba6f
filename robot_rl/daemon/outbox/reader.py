"""The link's side of the outbox: what is waiting, and deleting what the server has acknowledged."""

import sqlite3
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from robot_rl.daemon.outbox.file import (
    STORED,
    OutboxRow,
    StoredRow,
    UnreadableRow,
    begin_epoch,
    connect,
    doubt,
    epoch_of,
    last_number,
    read_epoch,
    read_row,
    transaction,
)
from robot_rl.schema.segment import RecordedStep

EPOCHS_REMEMBERED = 1000
"""Of what servers have acknowledged; the oldest are forgotten."""
_VACUUM_PAGES = 4096  # 16 MiB of unused pages before the file is made smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRows:
    """Consecutive rows of one epoch, oldest first. `first` is the epoch's first row number."""

    epoch: UUID
    first: int
    rows: tuple[OutboxRow, ...]

    def sequence(self, number: int) -> int:
        """Number of a row → its sequence within the epoch, as the server counts."""
        return number - self.first + 1

    def number(self, sequence: int) -> int:
        """Sequence within the epoch → number of the row."""
        return self.first + sequence - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgedEpoch:
    """A server has said that it has this epoch's rows up to sequence `last`, for ever."""

    server: UUID
    epoch: UUID
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    pending: int
    pending_training: int  # transitions of training and demonstration episodes
    set_aside: int
    last: int  # number of the newest row ever recorded


class OutboxReader:
    """One reader per file: the link. Not thread-safe; every call is short."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def pending(self, after: int, limit: int) -> PendingRows | None:
        """At most `limit` rows with number > `after`, of one epoch; None when there are none.

        Raises UnreadableRow when the first of them cannot be read.
        """
        connection = self._open()
        found = connection.execute(
            "SELECT min(number) FROM rows WHERE number > ?", (after,)
        ).fetchone()[0]
        if found is None:
            return None
        epoch, first, following = epoch_of(connection, found)
        rows = connection.execute(
            f"SELECT {STORED} FROM rows WHERE number >= ? AND number < ? ORDER BY number LIMIT ?",
            (found, 2**62 if following is None else following, limit),
        ).fetchall()
        return PendingRows(epoch=epoch, first=first, rows=_readable(rows))

    def delete_through(self, number: int, server: UUID | None = None) -> int:
        """Delete every row up to `number`; returns how many training transitions went.

        `server`: it has acknowledged them, which is remembered.
        """
        connection = self._open()
        with transaction(connection):
            if server is not None:
                _remember(connection, number, server)
            training = connection.execute(
                "SELECT coalesce(sum(training), 0) FROM rows WHERE number <= ?", (number,)
            ).fetchone()[0]
            connection.execute("DELETE FROM rows WHERE number <= ?", (number,))
            connection.execute(
                "DELETE FROM epochs WHERE first < "
                "(SELECT max(first) FROM epochs WHERE first <= ? + 1)",
                (number,),
            )
        unused = connection.execute("PRAGMA freelist_count").fetchone()[0]
        if unused > _VACUUM_PAGES:
            connection.execute(f"PRAGMA incremental_vacuum({unused})").fetchall()
        return int(training)

    def set_aside(self, first: int, last: int, reason: str) -> None:
        """Keep rows that the server will never take, out of the way of those behind them.

        The server would wait for their sequence numbers, so what follows begins a new epoch.
        """
        connection = self._open()
        with transaction(connection):
            connection.execute(
                "INSERT INTO set_aside SELECT number, kind, body, cameras, images, ? FROM rows "
                "WHERE number BETWEEN ? AND ?",
                (reason, first, last),
            )
            connection.execute("DELETE FROM rows WHERE number BETWEEN ? AND ?", (first, last))
            _divide(connection, last + 1)

    def divide_at(self, number: int) -> None:
        """Let an epoch begin at row `number`, if none does: it can be sent before those before."""
        connection = self._open()
        with transaction(connection):
            _divide(connection, number)

    def similar(self, row: OutboxRow, first: int, without: Collection[int]) -> int | None:
        """The first row from number `first` on, not one of `without`, that the server stores as it
        does `row`: a step, or an event of another episode; None when there is none.
        """
        step = isinstance(row.content, RecordedStep)
        episode = None if isinstance(row.content, RecordedStep) else row.content.episode_id
        rows = self._open().execute(
            "SELECT number FROM rows WHERE number >= ? AND (kind = 'step') = ? "
            "AND (kind = 'step' OR episode_id IS NOT ?) ORDER BY number",
            (first, step, None if episode is None else str(episode)),
        )
        return next((int(number) for (number,) in rows if number not in without), None)

    def renumber_from(self, number: int) -> UUID:
        """Give the rows from `number` on a new epoch: the server has forgotten the old one."""
        connection = self._open()
        with transaction(connection):
            return begin_epoch(connection, number)

    def acknowledged(self) -> list[AcknowledgedEpoch]:
        """In recorded order; what a damaged byte made unreadable is left out."""
        rows = self._open().execute(
            "SELECT CAST(server AS BLOB), CAST(epoch AS BLOB), CAST(last AS INTEGER) "
            "FROM acknowledged ORDER BY number"
        )
        found: list[AcknowledgedEpoch] = []
        for server, epoch, last in rows:
            with suppress(ValueError):  # of UUID, and of a text that is no UTF-8
                ids = UUID(server.decode()), UUID(epoch.decode())
                found.append(AcknowledgedEpoch(server=ids[0], epoch=ids[1], last=last))
        return found

    def next_row(self) -> tuple[UUID, int] | None:
        """Epoch and number of the row that is sent next, or recorded next where none waits; None
        before the writer first opened the file.
        """
        connection = self._open()
        first = connection.execute("SELECT min(number) FROM rows").fetchone()[0]
        number = last_number(connection) + 1 if first is None else int(first)
        if connection.execute("SELECT 1 FROM epochs WHERE first <= ?", (number,)).fetchone():
            return epoch_of(connection, number)[0], number
        return None

    def counts(self) -> OutboxCounts:
        connection = self._open()
        first = connection.execute("SELECT min(number) FROM rows").fetchone()[0]
        last = last_number(connection)
        training = connection.execute("SELECT count(*) FROM rows WHERE training = 1").fetchone()[0]
        aside = connection.execute("SELECT count(*) FROM set_aside").fetchone()[0]
        return OutboxCounts(
            # Rows leave from the front only, so what waits is without gaps.
            pending=0 if first is None else last - first + 1,
            pending_training=training,
            set_aside=aside,
            last=last,
        )

    @property
    def boot_epoch(self) -> UUID | None:
        """The epoch of what is recorded now; None before the writer first opened the file."""
        connection = self._open()
        found = connection.execute(
            "SELECT CAST(epoch AS BLOB), first FROM epochs ORDER BY first DESC LIMIT 1"
        ).fetchone()
        return None if found is None else read_epoch(connection, *found)

    def changed(self) -> int:
        """A number that changes when the writer has committed; costs microseconds."""
        return int(self._open().execute("PRAGMA data_version").fetchone()[0])

    def doubt(self) -> None:
        """A part of the file cannot be read: the writer builds it anew."""
        doubt(self._path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        """The connection; opened again when a damaged file was replaced under it."""
        if self._connection is not None and self._present() == self._inode:
            return self._connection
        self.close()
        self._connection = connect(self._path)
        self._inode = self._present()
        return self._connection

    def _present(self) -> int:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return 0


def _remember(connection: sqlite3.Connection, number: int, server: UUID) -> None:
    """That a server has acknowledged the rows up to `number`."""
    epoch, first, _ = epoch_of(connection, number)
    connection.execute(
        "INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?, ?)",
        (str(server), str(epoch), number - first + 1, number),
    )
    connection.execute(
        "DELETE FROM acknowledged WHERE number <= (SELECT number FROM acknowledged "
        f"ORDER BY number DESC LIMIT 1 OFFSET {EPOCHS_REMEMBERED})"
    )


def _divide(connection: sqlite3.Connection, number: int) -> None:
    begun = connection.execute("SELECT 1 FROM epochs WHERE first = ?", (number,)).fetchone()
    if begun is None:
        begin_epoch(connection, number)


def _readable(found: list[StoredRow]) -> tuple[OutboxRow, ...]:
    """The rows before the first one that cannot be read."""
    rows: list[OutboxRow] = []
    for row in found:
        try:
            rows.append(read_row(row))
        except UnreadableRow:
            if not rows:
                raise
            break
    return tuple(rows)
