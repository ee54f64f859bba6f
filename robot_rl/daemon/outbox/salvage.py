"""What can still be read of a damaged outbox goes on in a new one; what cannot is set aside.

The damaged file is kept beside it, whole. Rows keep their numbers and epochs, so that the server
knows again what it has. What is lost stands in `set_aside`, where the console's alarm counts it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

LOST = "lost"
"""The kind of a row of `set_aside` that stands for rows which nobody can read."""
_CHUNK_ROWS = 64
_PROBES = 200_000  # numbers that are tried, where the file does not say which rows it has
_ROWS = "number, kind, episode_id, training, body, cameras, images"
_BESIDE = {  # what else is copied, as far as it can be read
    "epochs": "first, epoch",
    "open_episodes": "episode_id, purpose, steps, human_steps, t_robot_ns, cameras",
    "acknowledged": "server, epoch, last, number",
    "set_aside": "number, kind, body, cameras, images, reason",
}


def salvage(damaged: Path, kept_as: str, into: sqlite3.Connection) -> None:
    """Copy from the file `damaged` into a new outbox, within the caller's transaction.

    kept_as: how the damaged file will be called.
    """
    with closing(sqlite3.connect(damaged, isolation_level=None)) as old:
        for table, columns in _BESIDE.items():
            for row in _all(old, f"SELECT {columns} FROM {table}"):
                _keep(into, table, columns, row)
        last = _number(old, "SELECT seq FROM sqlite_sequence WHERE name = 'rows'")
        last = last or _number(old, "SELECT max(number) FROM rows")
        if last is None:
            if _all(old, "SELECT max(number) FROM rows") and _newest(into):
                return  # all was sent, and only the count of rows is lost
            _tell(into, -1, -1, kept_as, "nothing of it can be read")
            return
        first = _number(old, "SELECT min(number) FROM rows") or max(1, last - _PROBES)
        gap = first
        for row in _rows(old, first, last):
            if not _keep(into, "rows", _ROWS, row):
                continue
            number = int(row[0])
            if number > gap:
                _lost(into, gap, number - 1, kept_as)
            gap = number + 1
        holds_rows = into.execute("SELECT 1 FROM rows LIMIT 1").fetchone() is not None
        if gap <= last and (holds_rows or _number(old, "SELECT min(number) FROM rows")):
            _lost(into, gap, last, kept_as)
        into.execute("DELETE FROM sqlite_sequence WHERE name = 'rows'")
        into.execute("INSERT INTO sqlite_sequence VALUES ('rows', ?)", (last,))


def go_on_counting(connection: sqlite3.Connection) -> None:
    """Let no number be used twice, also where SQLite's own count of them is lost."""
    newest = _newest(connection)
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
    if newest > (0 if found is None else found[0]):
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'rows'")
        connection.execute("INSERT INTO sqlite_sequence VALUES ('rows', ?)", (newest,))


def _newest(connection: sqlite3.Connection) -> int:
    """The highest number that is known to have been used; 0 where none is."""
    return connection.execute(
        "SELECT coalesce(max(number), 0) FROM (SELECT max(number) AS number FROM rows "
        "UNION ALL SELECT max(first) - 1 FROM epochs UNION ALL SELECT max(number) FROM set_aside "
        "UNION ALL SELECT 0)"
    ).fetchone()[0]


def begins_epoch(connection: sqlite3.Connection) -> list[int]:
    """Rows that need an epoch of their own: the first one, and those behind a gap."""
    return [
        int(number)
        for (number,) in connection.execute(
            "SELECT number FROM rows r WHERE NOT EXISTS "
            "(SELECT 1 FROM rows b WHERE b.number = r.number - 1) "
            "AND NOT EXISTS (SELECT 1 FROM epochs WHERE first = r.number) "
            "AND (EXISTS (SELECT 1 FROM set_aside s WHERE s.kind = ? AND s.number < r.number) "
            "OR NOT EXISTS (SELECT 1 FROM epochs e WHERE e.first < r.number))",
            (LOST,),
        )
    ]


def _rows(old: sqlite3.Connection, first: int, last: int) -> Iterator[tuple[Any, ...]]:
    """Those that can be read, in order: by the chunk, and one by one where a chunk cannot."""
    for begin in range(first, last + 1, _CHUNK_ROWS):
        end = min(begin + _CHUNK_ROWS - 1, last)
        select = f"SELECT {_ROWS} FROM rows WHERE number BETWEEN ? AND ? ORDER BY number"
        try:
            chunk = old.execute(select, (begin, end)).fetchall()
        except sqlite3.DatabaseError:
            chunk = [
                row for number in range(begin, end + 1) for row in _all(old, select, number, number)
            ]
        yield from chunk


def _all(old: sqlite3.Connection, select: str, *values: int) -> list[tuple[Any, ...]]:
    """Rows up to the first one that cannot be read."""
    found: list[tuple[Any, ...]] = []
    try:
        for row in old.execute(select, values):
            found.append(row)
    except sqlite3.DatabaseError:
        return found
    return found


def _number(old: sqlite3.Connection, select: str) -> int | None:
    found = _all(old, select)
    return found[0][0] if found and isinstance(found[0][0], int) else None


def _keep(into: sqlite3.Connection, table: str, columns: str, row: tuple[Any, ...]) -> bool:
    """False for a row whose values are of other types than they were written with."""
    places = ", ".join("?" * len(row))
    try:
        into.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})", row)
    except sqlite3.IntegrityError:
        return False
    return True


def _lost(into: sqlite3.Connection, first: int, last: int, kept_as: str) -> None:
    many = f"row {first}" if first == last else f"rows {first} to {last}"
    _tell(into, first, last, kept_as, f"{many} cannot be read")


def tell_lost(into: sqlite3.Connection, what: str) -> None:
    """Something beside the rows is damaged: an engineer hears of it, and all else goes on."""
    into.execute(
        "INSERT INTO set_aside (number, kind, body, reason) "
        "SELECT min(coalesce(min(number), 0), -1) - 1, ?, '{}', ? FROM set_aside",
        (LOST, f"a row of the outbox is damaged: {what}"),
    )


def _tell(into: sqlite3.Connection, first: int, last: int, kept_as: str, what: str) -> None:
    into.execute(
        "INSERT OR IGNORE INTO set_aside (number, kind, body, reason) VALUES (?, ?, ?, ?)",
        (
            *(first, LOST, json.dumps({"first": first, "last": last, "file": kept_as})),
            f"the outbox was damaged and {what}; the damaged file is kept as {kept_as}",
        ),
    )
