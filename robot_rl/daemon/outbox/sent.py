"""Batches that a server has acknowledged, kept for the day on which it is restored from a backup.

A file of its own beside the outbox: it is large, and nothing waits for it. It is written without
waiting for the disk, by the link only, after the acknowledgement and before the rows leave the
outbox. Damaged, full or lost it costs what it kept, and holds up nothing. The oldest go first: by
their age, by the room that the cell file allows, and when the disk has little room left.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from robot_rl.daemon.data_folder import MIN_FREE_BYTES, free_bytes
from robot_rl.daemon.outbox.file import BUSY_S, transaction
from robot_rl.schema.ingest import BatchHeader

SENT = "sent.sqlite"
"""Its name in the robot's data folder."""
ROOM_BYTES = 4 * MIN_FREE_BYTES
"""With less free on the disk nothing is kept, and what is makes room for what is recorded."""
_AT_ONCE = 16  # batches that make room together
_VACUUM_PAGES = 4096  # 16 MiB of unused pages before the file is made smaller
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL, epoch TEXT NOT NULL, last INTEGER NOT NULL, sent_t_s REAL NOT NULL,
    header TEXT NOT NULL,
    parts TEXT NOT NULL,  -- JSON: [[name, bytes], ...] in the order of `data`
    data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS in_order ON batches (server, epoch, last);
CREATE TABLE IF NOT EXISTS episodes (
    episode TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (episode, number)
) STRICT;
CREATE INDEX IF NOT EXISTS by_batch ON episodes (number);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBatch:
    """As it was posted."""

    header: BatchHeader
    files: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptState:
    """`since`: when the oldest was sent; None where nothing is kept."""

    batches: int
    size_bytes: int
    since: datetime | None


class SentBatches:
    """Raises nothing that a disk can cause: what cannot be read is not kept."""

    def __init__(
        self, path: Path, *, keep_s: float, keep_bytes: int, log: Callable[[str], None]
    ) -> None:
        self._path, self._keep_s, self._keep_bytes, self._log = path, keep_s, keep_bytes, log
        self._connection: sqlite3.Connection | None = None
        self._problem = ""

    def keep(self, server: UUID, header: BatchHeader, files: Mapping[str, bytes]) -> None:
        """One more, acknowledged by `server`; the oldest make room for it."""
        if not self._keep_s or not self._keep_bytes:
            return
        try:
            connection = self._open()
            with transaction(connection):
                if free_bytes(self._path.parent) >= ROOM_BYTES:
                    _insert(connection, server, header, files)
                self._make_room(connection)
            _give_back(connection)
            self._problem = ""
        except (sqlite3.Error, OSError) as error:
            self._failed(error)

    def after(self, server: UUID, epoch: UUID, sequence: int) -> KeptBatch | None:
        """The first batch of an epoch that holds a row behind `sequence`."""
        return self._first(
            "WHERE server = ? AND epoch = ? AND last > ? ORDER BY last LIMIT 1",
            (str(server), str(epoch), sequence),
        )

    def of_episode(self, server: UUID, episode: UUID) -> Iterator[KeptBatch]:
        """Those with anything of an episode, in the order in which they were sent."""
        number = 0
        while True:
            try:
                found = self._open().execute(
                    "SELECT number FROM episodes JOIN batches USING (number) "
                    "WHERE episode = ? AND server = ? AND number > ? ORDER BY number LIMIT 1",
                    (str(episode), str(server), number),
                ).fetchone()  # fmt: skip
            except (sqlite3.Error, OSError) as error:
                return self._failed(error)
            if found is None:
                return
            number = int(found[0])
            batch = self._first("WHERE number = ?", (number,))
            if batch is not None:
                yield batch

    def state(self) -> KeptState:
        """What is kept now."""
        connection = self._open()
        count, oldest = connection.execute(
            "SELECT count(*), min(number) FROM batches"
        ).fetchone()  # fmt: skip
        since = None
        if oldest is not None:
            (t_s,) = connection.execute(
                "SELECT sent_t_s FROM batches WHERE number = ?", (oldest,)
            ).fetchone()
            since = datetime.fromtimestamp(t_s, UTC)
        return KeptState(batches=count, size_bytes=_used_bytes(connection), since=since)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _first(self, where: str, values: tuple[str | int, ...]) -> KeptBatch | None:
        """One that cannot be read is not there, and the ones behind it are."""
        select = f"SELECT number, header, parts, data FROM batches {where}"
        while True:
            try:
                found = self._open().execute(select, values).fetchone()
                if found is None:
                    return None
                number, header, parts, data = found
                try:
                    return _read(header, parts, data)
                except (ValidationError, ValueError) as error:
                    self._log(f"a kept batch of {self._path} cannot be read: {error!r}")
                    self._open().execute("DELETE FROM batches WHERE number = ?", (number,))
            except (sqlite3.Error, OSError) as error:
                return self._failed(error)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        oldest_s = time.time() - self._keep_s
        connection.execute("DELETE FROM batches WHERE number IN (SELECT number FROM batches "
            "WHERE number <= (SELECT min(number) FROM batches) + ? AND sent_t_s < ?)",
            (_AT_ONCE, oldest_s))  # fmt: skip
        if free_bytes(self._path.parent) < ROOM_BYTES:
            _delete_oldest(connection)
        while _used_bytes(connection) > self._keep_bytes and _delete_oldest(connection):
            pass
        connection.execute(
            "DELETE FROM episodes WHERE number < (SELECT coalesce(min(number), ?) FROM batches)",
            (2**62,),
        )

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(_SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _failed(self, error: sqlite3.Error | OSError) -> None:
        """Say it once; what is damaged is begun anew, empty."""
        self.close()
        sentence = f"what the server has acknowledged cannot be kept: {self._path}: {error}"
        if type(error) is sqlite3.DatabaseError:
            sentence = f"{self._path} is damaged ({error}): what it kept is gone, and it is new now"
            for suffix in ("-wal", "-shm", ""):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        if sentence != self._problem:
            self._problem = sentence
            self._log(sentence)


def kept_state(path: Path) -> KeptState:
    """Of a file that another process may be writing. Raises sqlite3.Error."""
    if not path.exists():
        return KeptState(batches=0, size_bytes=0, since=None)
    with closing(SentBatches(path, keep_s=0, keep_bytes=0, log=lambda _: None)) as kept:
        return kept.state()


def _insert(
    connection: sqlite3.Connection,
    server: UUID,
    header: BatchHeader,
    files: Mapping[str, bytes],
) -> None:
    number = connection.execute(
        "INSERT OR REPLACE INTO batches (server, epoch, last, sent_t_s, header, parts, data) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(str(server), str(header.boot_epoch), header.last_sequence, time.time()),
            header.model_dump_json(),
            json.dumps([(name, len(data)) for name, data in files.items()]),
            b"".join(files.values()),
        ),
    ).lastrowid
    episodes = {item.episode_id for item in header.items if item.episode_id is not None}
    connection.executemany(
        "INSERT INTO episodes VALUES (?, ?)", [(str(episode), number) for episode in episodes]
    )


def _read(header: str, parts: str, data: bytes) -> KeptBatch:
    files: dict[str, bytes] = {}
    start = 0
    for name, size in json.loads(parts):
        files[name] = data[start : start + size]
        start += size
    return KeptBatch(header=BatchHeader.model_validate_json(header), files=files)


def _delete_oldest(connection: sqlite3.Connection) -> int:
    """How many there were."""
    return connection.execute(
        "DELETE FROM batches WHERE number IN "
        f"(SELECT number FROM batches ORDER BY number LIMIT {_AT_ONCE})"
    ).rowcount


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, unused, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - unused) * size


def _give_back(connection: sqlite3.Connection) -> None:
    """Unused pages, to the disk."""
    unused = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if unused > _VACUUM_PAGES:
        connection.execute(f"PRAGMA incremental_vacuum({unused})").fetchall()
