"""What was set aside: an engineer looks at it, mends it, and sends it again or gives it up."""

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from robot_rl.daemon.outbox.file import (
    StoredRow,
    UnreadableRow,
    begin_epoch,
    connect,
    last_number,
    read_row,
    split_images,
    transaction,
)
from robot_rl.daemon.outbox.salvage import LOST
from robot_rl.errors import BadInput

_COLUMNS = "number, CAST(kind AS BLOB), CAST(body AS BLOB), CAST(reason AS BLOB)"


class NotSetAside(BadInput):
    """It is not among what was set aside, or cannot be sent as it is: one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsideRow:
    """`body`: the JSON of a step or an event, as it was recorded; what is no text as \\xff."""

    number: int
    kind: str  # "step", "event" or "lost"
    reason: str
    body: str

    @property
    def episode_id(self) -> str | None:
        """None where it is of no episode, or cannot be read."""
        try:
            found: object = json.loads(self.body).get("episode_id")
        except (ValueError, AttributeError):
            return None
        return found if isinstance(found, str) else None


def set_aside_rows(path: Path) -> list[SetAsideRow]:
    """All of them, oldest first."""
    with closing(connect(path)) as connection:
        return _rows(connection)


def images_of(path: Path, number: int) -> dict[str, bytes]:
    """Camera → picture of a row. Raises NotSetAside where nobody can tell which is whose."""
    with closing(connect(path)) as connection:
        return _images(connection, number)


def send_again(path: Path, numbers: Collection[int], mended: str | None = None) -> None:
    """Put rows behind all that waits, in the order in which they were recorded.

    `mended`: the JSON that takes the place of the body of the only row. Nothing may record here
    meanwhile. Raises NotSetAside, and nothing is changed.
    """
    with closing(connect(path)) as connection, transaction(connection):
        rows = _wanted(connection, numbers)
        begin_epoch(connection, last_number(connection) + 1)
        for row in rows:
            _check(connection, row, mended)
            connection.execute(
                "INSERT INTO rows (kind, episode_id, training, body, cameras, images) "
                "SELECT kind, ?, 0, ?, cameras, images FROM set_aside WHERE number = ?",
                (row.episode_id, mended or row.body, row.number),
            )
            connection.execute("DELETE FROM set_aside WHERE number = ?", (row.number,))


def drop(path: Path, numbers: Collection[int]) -> None:
    """Delete rows for good. Raises NotSetAside, and nothing is changed."""
    with closing(connect(path)) as connection, transaction(connection):
        for row in _wanted(connection, numbers):
            connection.execute("DELETE FROM set_aside WHERE number = ?", (row.number,))


def _rows(connection: sqlite3.Connection) -> list[SetAsideRow]:
    found = connection.execute(f"SELECT {_COLUMNS} FROM set_aside ORDER BY number").fetchall()
    return [
        SetAsideRow(number=number, kind=_text(kind), reason=_text(reason), body=_text(body))
        for number, kind, body, reason in found
    ]


def _text(stored: bytes) -> str:
    """A damaged one too, so that it can be looked at."""
    return stored.decode(errors="backslashreplace")


def _images(connection: sqlite3.Connection, number: int) -> dict[str, bytes]:
    cameras, images = connection.execute(
        "SELECT CAST(cameras AS BLOB), CAST(images AS BLOB) FROM set_aside WHERE number = ?",
        (number,),
    ).fetchone()
    try:
        return split_images(cameras, images)
    except ValueError as error:
        raise NotSetAside(
            f"row {number} is not sent, because it cannot be told which picture is of which "
            f"camera; `robot-rl outbox drop {number}` deletes it"
        ) from error


def _wanted(connection: sqlite3.Connection, numbers: Collection[int]) -> list[SetAsideRow]:
    rows = [row for row in _rows(connection) if row.number in numbers]
    missing = set(numbers) - {row.number for row in rows}
    if missing:
        raise NotSetAside(
            f"row {min(missing)} is not set aside: `robot-rl outbox list` prints those that are"
        )
    return rows


def _check(connection: sqlite3.Connection, row: SetAsideRow, mended: str | None) -> None:
    if row.kind == LOST:
        raise NotSetAside(f"row {row.number} cannot be sent: {row.reason}")
    if row.kind not in ("step", "event"):
        raise NotSetAside(
            f"row {row.number} is not sent, because it does not say whether it is a step or an "
            f"event; `robot-rl outbox drop {row.number}` deletes it"
        )
    _images(connection, row.number)
    body = (mended or row.body).encode()
    stored: StoredRow = (row.number, row.kind.encode(), 0, body, None, None)
    try:
        read_row(stored)
    except UnreadableRow as error:
        raise NotSetAside(
            f"row {row.number} is not sent, because it cannot be stored: {error}; mend what "
            "`robot-rl outbox show` prints, and give it with --body"
        ) from error
