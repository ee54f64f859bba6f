"""`db backup` and `db restore`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_rl.commands.database import blobs_of, opened
from robot_rl.commands.options import DATA, AsJson, Data, print_json

if TYPE_CHECKING:
    from robot_rl.server.database import Database

Folder = Annotated[Path, typer.Argument(help="Where backups are; of this database alone.")]


def backup(folder: Folder, data: Data = DATA, as_json: AsJson = False) -> None:
    """Copy the database, and the blobs that are new, to a folder. A server may run and record.

    Ends with 1 when blobs were lost already (`robot-rl db check` says which). A second backup
    to the same folder adds to it; older dumps stay until you remove them.

    Example: `robot-rl db backup /mnt/backup/lab`
    """
    from robot_rl.server.backup import make

    with opened(data) as database, _progress(database, as_json) as seen:
        made = make(database, blobs_of(data), folder, seen=seen)
    if as_json:
        print_json(made)
    else:
        print(
            f"backed up schema {made.schema_version} and {made.blobs} blobs "
            f"({made.blob_bytes / 2**30:.2f} GiB, {made.copied} new) to {folder}"
        )
        for sha256 in made.lost:
            print(f"  lost before: {sha256}")
    if made.lost:
        raise typer.Exit(1)


def restore(
    folder: Folder,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="Only put back blobs that are missing or damaged here."),
    ] = False,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Bring the newest backup of a folder into an empty database, and its blobs beside it.

    Then everything is read and compared, as `robot-rl db check` does; ends with 1 when it is not
    whole. With --missing the database stays as it is, and a server may run.

    Example: `robot-rl db restore /mnt/backup/lab --data restored`
    """
    from robot_rl.server import backup as backups
    from robot_rl.server import integrity, migration

    backups.newest(folder)  # before a database or a folder is made
    with opened(data, make=not missing) as database, _progress(database, as_json) as seen:
        blobs = blobs_of(data)
        if missing:
            migration.check(database)
            returned = backups.put_back(database, blobs, folder, seen=seen)
        else:
            _, returned = backups.restore(database, blobs, folder, seen=seen)
        sound = integrity.look(database, blobs, read=not missing).sound
    if as_json:
        print_json(returned)
    else:
        print(f"put back {returned.blobs} blobs")
        for sha256 in returned.lacking:
            print(f"  not in the backup: {sha256}")
        print("the database and its blobs are whole" if sound else "not whole: see `db check`")
    if not sound:
        raise typer.Exit(1)


@contextmanager
def _progress(database: "Database", as_json: bool) -> "Iterator[Callable[[], None]]":
    from robot_rl.server import integrity, migration

    length = 0 if migration.found(database) is None else integrity.referred(database)
    with typer.progressbar(length=length, label="blobs", file=sys.stderr, hidden=as_json) as bar:
        yield lambda: bar.update(1)
