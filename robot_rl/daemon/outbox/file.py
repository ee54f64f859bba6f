"""The file behind the outbox: SQLite in WAL mode, one row per step or event, in recorded order.

A row has a `number` that is never used twice in this file. On the wire rows are counted from 1
within an *epoch*, and every opening by the writer begins a new one: a disk that lost rows which the
server already has can then never give their sequence numbers to other rows.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from robot_rl.daemon.outbox.salvage import begins_epoch, go_on_counting, salvage, tell_lost
from robot_rl.durable_file import sync_folder
from robot_rl.errors import BadInput
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    Outcome,
    RobotEvent,
)
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import Step
from robot_rl.schema.transition import TRAINED_ON, is_trainable
from safety.vocabulary import Source

OUTBOX = "outbox.sqlite"
"""Its name in the robot's data folder."""
BUSY_S = 5.0  # writer and link take turns in transactions of milliseconds
_VERSION = 3
_REPLACES = "replaces"  # a fact: how the damaged file is called that this one stands for

_ACKNOWLEDGED = """
CREATE TABLE IF NOT EXISTS acknowledged (  -- what a server has said it has, for ever
    server TEXT NOT NULL, epoch TEXT NOT NULL, last INTEGER NOT NULL,
    number INTEGER NOT NULL, PRIMARY KEY (server, epoch)
) STRICT;
"""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,          -- 'step' or 'event'
    episode_id TEXT,
    training INTEGER NOT NULL,   -- 1: a transition that the learner will count
    body TEXT NOT NULL,          -- JSON
    cameras TEXT,                -- JSON: [[camera, bytes], ...] in the order of `images`
    images BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS training_rows ON rows (number) WHERE training = 1;
CREATE TABLE IF NOT EXISTS epochs (first INTEGER PRIMARY KEY, epoch TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS open_episodes (
    episode_id TEXT PRIMARY KEY, purpose TEXT NOT NULL,
    steps INTEGER NOT NULL, human_steps INTEGER NOT NULL, t_robot_ns INTEGER NOT NULL,
    cameras TEXT NOT NULL DEFAULT '[]'  -- JSON: those of the episode's observation
) STRICT;
CREATE TABLE IF NOT EXISTS set_aside (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, cameras TEXT, images BLOB,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_SCHEMA += _ACKNOWLEDGED

_EVENT: TypeAdapter[RobotEvent] = TypeAdapter(RobotEvent)
_CAMERAS: TypeAdapter[list[tuple[str, NonNegativeInt]]] = TypeAdapter(
    list[tuple[str, NonNegativeInt]]
)

_NAMES: TypeAdapter[list[str]] = TypeAdapter(list[str])

type StoredRow = tuple[int, bytes, int, bytes, bytes | None, bytes | None]
"""The columns STORED."""
STORED = (
    "number, CAST(kind AS BLOB), CAST(training AS INTEGER), CAST(body AS BLOB), "
    "CAST(cameras AS BLOB), CAST(images AS BLOB)"
)
"""Of `rows`, as bytes: SQLite reads no other row either once a text is not UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One recorded thing. `training`: a transition of a training or demonstration episode."""

    number: int
    training: bool
    content: RecordedStep | RobotEvent


class UnreadableRow(ValueError):
    """A row that this version of the program cannot read."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"row {number} of the outbox cannot be read: {problem}")
        self.number = number


class BadOutbox(BadInput):
    """The file was made by another version of this program."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made when it does not exist. Raises sqlite3.Error, OSError or BadOutbox."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        version = _version(connection)
        if version in (1, 2):
            version = _bring_up_to_date(connection)
        if version not in (0, _VERSION):
            raise BadOutbox(
                f"{path} was made by another version of robot-rl (format {version}, {_VERSION} "
                "expected): let that version send it, or move the file away"
            )
        if version == 0:
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version={_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _bring_up_to_date(connection: sqlite3.Connection) -> int:
    """From format 1, which did not keep what an open episode's observation is, or 2, which did not
    keep what a server has acknowledged. The new format.
    """
    with transaction(connection):
        version = _version(connection)  # the other process may have been first
        if version == 1:
            connection.execute(
                "ALTER TABLE open_episodes ADD COLUMN cameras TEXT NOT NULL DEFAULT '[]'"
            )
        if version in (1, 2):
            connection.execute(_ACKNOWLEDGED)
            connection.execute(f"PRAGMA user_version={_VERSION}")
    return _version(connection)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end; roll back when anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open, begin an epoch and close what a crash left open. A damaged file is built anew."""
    connection = _sound(path, thorough=True)
    with transaction(connection):
        go_on_counting(connection)
        _close_unfinished(connection)
        begin_epoch(connection, last_number(connection) + 1)
        _remember(connection, "clean", "0")
    return connection


def reopen(path: Path) -> sqlite3.Connection:
    """Open again after an error in the same process: the running episode goes on."""
    return _sound(path, thorough=False)


def doubt(path: Path) -> None:
    """Have the writer build the file anew: a reader found a page that cannot be read."""
    _doubts(path).touch()


def is_doubted(path: Path) -> bool:
    return _doubts(path).exists()


def _doubts(path: Path) -> Path:
    return path.with_name(f"{path.name}.doubted")


def _sound(path: Path, *, thorough: bool) -> sqlite3.Connection:
    """The file, built anew from what can be read of it when it is damaged.

    thorough: looked through after a crash.
    """
    rebuilt = path.with_name(f"{path.name}.rebuilt")
    if rebuilt.exists():  # the power failed before it was in its place
        _put_in_place(path, rebuilt)
    if not is_doubted(path):
        try:
            connection = connect(path)
            if thorough:
                _check(connection)
            return connection
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # full, read-only or busy: the file itself may be sound
    _rebuild(path).rename(rebuilt)
    sync_folder(path.parent)
    _put_in_place(path, rebuilt)
    return connect(path)


def _rebuild(path: Path) -> Path:
    """A new file, of what can be read of the damaged one. It says how that one will be called."""
    fresh = path.with_name(f"{path.name}.unfinished")
    for part in _parts(fresh):
        part.unlink(missing_ok=True)
    kept_as = _aside(path)
    with closing(connect(fresh)) as connection, transaction(connection):
        salvage(path, kept_as.name, connection)
        go_on_counting(connection)
        for number in (*begins_epoch(connection), last_number(connection) + 1):
            begin_epoch(connection, number)
        _remember(connection, _REPLACES, kept_as.name)
    return fresh


def _put_in_place(path: Path, rebuilt: Path) -> None:
    """Have a file that was built anew take the damaged one's place; begun again after a crash."""
    with closing(connect(rebuilt)) as connection:
        found = connection.execute("SELECT value FROM facts WHERE name = ?", (_REPLACES,))
        kept_as = path.with_name(found.fetchone()[0])
    # Nothing slow between these renames: a reader that opens meanwhile makes an empty file here.
    # What lies here after the damaged file was moved is a reader's, which found none.
    move_aside(path, _aside(path) if kept_as.exists() else kept_as)
    rebuilt.rename(path)
    sync_folder(path.parent)
    _doubts(path).unlink(missing_ok=True)


def close_cleanly(connection: sqlite3.Connection) -> None:
    """Note that nothing was cut off, so that the next start need not look for damage."""
    with transaction(connection):
        _remember(connection, "clean", "1")
    connection.close()


def _aside(path: Path) -> Path:
    """Where a damaged file will lie."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return path.with_name(f"{path.name}.damaged-{stamp}")


def move_aside(path: Path, target: Path) -> None:
    """Rename a damaged file and what belongs to it, which another file here must never have."""
    for part, kept in zip(_parts(path), _parts(target), strict=True):
        if part.exists():
            part.rename(kept)


def _parts(path: Path) -> list[Path]:
    """The log of changes, its index, and the file itself."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "")]


def last_number(connection: sqlite3.Connection) -> int:
    """Number of the newest row that was ever recorded; 0 before the first."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
    return 0 if found is None else int(found[0])


def begin_epoch(connection: sqlite3.Connection, first: int) -> UUID:
    """Rows from number `first` on belong to a new epoch."""
    epoch = new_id()
    connection.execute("INSERT OR REPLACE INTO epochs VALUES (?, ?)", (first, str(epoch)))
    return epoch


def epoch_of(connection: sqlite3.Connection, number: int) -> tuple[UUID, int, int | None]:
    """(epoch, number of its first row, number of the next epoch's first row) of a row."""
    epoch, first = connection.execute(
        "SELECT CAST(epoch AS BLOB), first FROM epochs WHERE first <= ? "
        "ORDER BY first DESC LIMIT 1",
        (number,),
    ).fetchone()
    following = connection.execute(
        "SELECT min(first) FROM epochs WHERE first > ?", (number,)
    ).fetchone()[0]
    return read_epoch(connection, epoch, int(first)), int(first), following


def read_epoch(connection: sqlite3.Connection, stored: bytes, first: int) -> UUID:
    """A damaged one is replaced, as where the server has forgotten it: its rows are sent anew."""
    try:
        return UUID(stored.decode())
    except ValueError:
        return begin_epoch(connection, first)


def insert_step(connection: sqlite3.Connection, record: RecordedStep) -> None:
    step = record.step
    episode = str(step.episode_id)
    observed = _observed(connection, episode)
    acted = step.executed_action is not None
    training = observed is not None and is_trainable(
        step.source, acted=acted, pictures=record.images, cameras=observed
    )
    sizes = [(camera, len(jpeg)) for camera, jpeg in record.images.items()]
    connection.execute(
        "INSERT INTO rows (kind, episode_id, training, body, cameras, images) "
        "VALUES ('step', ?, ?, ?, ?, ?)",
        (
            episode,
            int(training),
            step.model_dump_json(),
            json.dumps(sizes),
            b"".join(record.images.values()),
        ),
    )
    connection.execute(
        "UPDATE open_episodes SET steps = steps + ?, human_steps = human_steps + ?, t_robot_ns = ? "
        "WHERE episode_id = ?",
        (int(acted), int(acted and step.source is Source.HUMAN), step.t_robot_ns, episode),
    )


def _observed(connection: sqlite3.Connection, episode: str) -> list[str] | None:
    """Cameras of an open episode that is trained on; None too where a damaged row does not say."""
    found = connection.execute(
        "SELECT CAST(purpose AS BLOB), CAST(cameras AS BLOB) FROM open_episodes "
        "WHERE episode_id = ?",
        (episode,),
    ).fetchone()
    if found is None or found[0].decode(errors="replace") not in TRAINED_ON:
        return None
    try:
        return _NAMES.validate_json(found[1])
    except ValidationError:
        return None


def insert_event(connection: sqlite3.Connection, event: RobotEvent) -> None:
    episode = None if event.episode_id is None else str(event.episode_id)
    connection.execute(
        "INSERT INTO rows (kind, episode_id, training, body) VALUES ('event', ?, 0, ?)",
        (episode, event.model_dump_json()),
    )
    if isinstance(event, EpisodeStarted):
        connection.execute(
            "INSERT OR REPLACE INTO open_episodes VALUES (?, ?, 0, 0, ?, ?)",
            (episode, event.purpose, event.t_robot_ns, json.dumps(event.cameras)),
        )
    elif isinstance(event, EpisodeEnded):
        connection.execute("DELETE FROM open_episodes WHERE episode_id = ?", (episode,))


def read_row(row: StoredRow) -> OutboxRow:
    """Raises UnreadableRow."""
    try:
        return _read_row(row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableRow(row[0], f"{where}: {first['msg']}") from error
    except ValueError as error:
        raise UnreadableRow(row[0], str(error)) from error


def _read_row(row: StoredRow) -> OutboxRow:
    number, kind, training, body, cameras, blob = row
    if kind != b"step":
        return OutboxRow(number=number, training=False, content=_EVENT.validate_json(body))
    images = split_images(cameras, blob)
    step = RecordedStep(step=Step.model_validate_json(body), images=images)
    return OutboxRow(number=number, training=bool(training), content=step)


def split_images(cameras: bytes | None, blob: bytes | None) -> dict[str, bytes]:
    """Camera → picture. Raises ValueError where it cannot be told which bytes are whose."""
    images: dict[str, bytes] = {}
    start, data = 0, blob or b""
    for camera, size in _CAMERAS.validate_json(cameras or b"[]"):
        images[camera] = data[start : start + size]
        start += size
    if start != len(data):
        raise ValueError(f"its pictures are {len(data)} bytes, and should be {start}")
    return images


def _check(connection: sqlite3.Connection) -> None:
    found = connection.execute("SELECT value FROM facts WHERE name = 'clean'").fetchone()
    if found is not None and found[0] == "1":
        return
    result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if result != "ok":
        connection.close()
        raise sqlite3.DatabaseError(result)


def _close_unfinished(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "SELECT rowid, CAST(episode_id AS BLOB), steps, human_steps, t_robot_ns FROM open_episodes"
    ).fetchall()
    for row, episode, steps, human_steps, t_robot_ns in rows:
        try:
            ended = EpisodeEnded(
                episode_id=UUID(episode.decode()),
                outcome=Outcome.ABORTED,
                cause="the robot restarted in the middle of the episode",
                labeller="robot",
                steps=steps,
                human_steps=human_steps,
                complete=False,
                t_robot_ns=t_robot_ns,
                t_utc=datetime.now(UTC),
            )
        except ValueError:
            connection.execute("DELETE FROM open_episodes WHERE rowid = ?", (row,))
            tell_lost(connection, f"episode {episode.decode(errors='replace')} was never ended")
        else:
            insert_event(connection, ended)


def _remember(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
