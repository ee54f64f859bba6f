"""What the first release recorded, for tests that want real episodes at once.

`data/first_light.tar.gz` holds what commit c5fa4a7 wrote: a rehearsal of `small_lift.toml` in
`small_cell.toml` (one demonstration, an evaluation before and after, three training episodes with
two interventions), its tables as CSV at schema 0002, its blobs, the learner's state, one policy as
the robot had it, and an outbox with two whole episodes and a cut one that no server has seen. The
outbox was written by a test of then, which marked the wrist's pictures with a letter before the
JPEG; `unpacked` takes it away, since a server no longer takes what is no picture.
"""

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

from alembic import command
from sqlalchemy import text

from robot_rl.server import migration
from robot_rl.server.accounts.tables import Base  # all that the archive has are known with it
from robot_rl.server.database import Database

ARCHIVE = Path(__file__).parent / "data" / "first_light.tar.gz"
SCHEMA = "0002"
OUTBOX_STEPS = 25
_JPEG_BYTES = 632  # of each of the outbox's pictures


def unpacked(folder: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    with closing(sqlite3.connect(folder / "outbox.sqlite")) as outbox, outbox:
        changed = outbox.execute(
            "UPDATE rows SET cameras = ?, images = CAST(substr(images, 1, ?) "
            "|| substr(images, ? + 2) AS BLOB) WHERE cameras = ?",
            (_cameras(_JPEG_BYTES), _JPEG_BYTES, _JPEG_BYTES, _cameras(_JPEG_BYTES + 1)),
        ).rowcount
    assert changed == OUTBOX_STEPS
    return folder


def _cameras(wrist_bytes: int) -> str:
    return f'[["front", {_JPEG_BYTES}], ["wrist", {wrist_bytes}]]'


def load_tables(database: Database, tables: Path) -> None:
    """The schema of then, and its rows."""
    with database.transaction() as connection:
        command.upgrade(migration.configuration(connection), SCHEMA)
        for table in reversed(Base.metadata.sorted_tables):
            if (tables / f"{table.name}.csv").exists():
                connection.execute(text(f"DELETE FROM {table.name}"))
        cursor = connection.connection.cursor()
        for table in Base.metadata.sorted_tables:
            file = tables / f"{table.name}.csv"
            if not file.exists():
                continue  # a table of later
            names, rows = file.read_text().split("\n", 1)
            columns = ",".join(f'"{name}"' for name in names.split(","))
            statement = f"COPY {table.name} ({columns}) FROM STDIN (FORMAT csv)"
            with cursor.copy(statement) as copy:  # pyright: ignore[reportAttributeAccessIssue]
                copy.write(rows)
