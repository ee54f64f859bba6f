"""`db`: the schema of the episode database, what it refers to, and how other commands open it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_rl.commands.options import DATA, AsJson, Data, group, print_json
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.server.blobs import BlobStore
    from robot_rl.server.database import Database
    from robot_rl.server.integrity import Findings

app = group("The database and its blobs: schema, soundness, room.")

SHOWN = 20  # troubles a person reads; --json has all of them


@app.command()
def upgrade(data: Data = DATA, as_json: AsJson = False) -> None:
    """Bring the database to the schema that this version needs. Back it up before.

    The one in `--data`, made if there is none, or the one that `DATABASE_URL` names.

    Example: `DATABASE_URL=postgresql://lab@db/robots robot-rl db upgrade`
    """
    from pydantic import BaseModel

    from robot_rl.server import migration

    class Schema(BaseModel):
        """What `--json` prints."""

        embedded: bool
        schema_version: str

    with opened(data, make=True) as database:
        version = migration.upgrade(database)
    if as_json:
        print_json(Schema(embedded=database.embedded is not None, schema_version=version))
    else:
        print(_schema(version))


@app.command()
def check(
    quick: Annotated[
        bool, typer.Option("--quick", help="Look for the blobs, and do not read them.")
    ] = False,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Say whether the schema is this version's, and every blob there, whole and unchanged.

    Reads all of the blobs, also while a server runs; ends with 1 when something has to be restored.

    Example: `robot-rl db check --data data`
    """
    from pydantic import BaseModel

    from robot_rl.server import integrity, migration

    class Checked(BaseModel):
        """What `--json` prints."""

        embedded: bool
        schema_version: str
        found: integrity.Findings

    with opened(data) as database:
        version = migration.check(database)
        blobs = blobs_of(data)
        with typer.progressbar(
            length=integrity.referred(database), label="blobs", file=sys.stderr, hidden=as_json
        ) as bar:
            found = integrity.look(database, blobs, read=not quick, seen=lambda: bar.update(1))
    embedded = database.embedded is not None
    if as_json:
        print_json(Checked(embedded=embedded, schema_version=version, found=found))
    else:
        print(_schema(version))
        _tell(found)
    if not found.sound:
        raise typer.Exit(1)


@app.command()
def collect(
    older_than_h: Annotated[
        float, typer.Option(min=1, help="Hours that what nothing refers to is kept.")
    ] = 24.0,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Remove blobs that nothing refers to, and what killed writers left. A server may run.

    Example: `robot-rl db collect --older-than-h 48`
    """
    from robot_rl.server import collection, migration

    with opened(data) as database:
        migration.check(database)
        removed = collection.collect(
            database, blobs_of(data), kept_for=timedelta(hours=older_than_h)
        )
    if as_json:
        print_json(removed)
    else:
        print(
            f"removed {removed.orphans} blobs that nothing referred to "
            f"({removed.orphan_bytes / 2**20:.1f} MiB), and {removed.leftovers} unfinished files"
        )


@app.command()
def thin(
    older_than_h: Annotated[
        float, typer.Option(min=1, help="Hours that the weights of every version are kept.")
    ] = 1.0,
    dry: Annotated[bool, typer.Option("--dry", help="Only say how many.")] = False,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Give up the weights of old policy versions. Manifests and figures are kept for ever.

    Kept are versions that are pinned, act, acted last on a robot, were evaluated, or are the newest
    of their minute. `robot-rl db collect` then makes the room. A server does both once a day.

    Example: `robot-rl db thin --dry`
    """
    from robot_rl.server import migration, retention

    with opened(data) as database:
        migration.check(database)
        found = retention.thin(database, kept_for=timedelta(hours=older_than_h), dry=dry)
    if as_json:
        print_json(found)
    else:
        would = "would lose" if dry else "lost"
        print(f"{found.versions} of {found.of} versions that had weights {would} them")


@contextmanager
def opened(data: Path, *, make: bool = False) -> "Iterator[Database]":
    """The database of `DATABASE_URL`, else the embedded one, whether or not a server runs on it.

    Raises PlainError, also when `data` holds none and `make` is false.
    """
    from robot_rl.server.database import open_database
    from robot_rl.server.settings import ServerSettings, database_url_from_environment

    settings = ServerSettings(data=data, database_url=database_url_from_environment())
    if settings.database_url is None and not make and not settings.postgres_folder.is_dir():
        raise PlainError(
            f"{data} holds no database: name the folder of the recorded data with --data, or set "
            "DATABASE_URL"
        )
    database = open_database(settings)
    try:
        yield database
    finally:
        database.close()


def blobs_of(data: Path) -> "BlobStore":
    """The blobs of the database that `opened` opens. Raises PlainError."""
    from robot_rl.server.blob_store import open_blobs
    from robot_rl.server.settings import ServerSettings, blob_url_from_environment

    return open_blobs(ServerSettings(data=data, blob_url=blob_url_from_environment()))


def _schema(version: str) -> str:
    return f"the database is at schema {version}, which is the one this robot-rl needs"


def _tell(found: "Findings") -> None:
    done = "there, whole and unchanged" if found.read else "there, with their sizes"
    good = found.blobs - len(found.troubles)
    print(f"{good} of {found.blobs} blobs ({found.size_bytes / 2**30:.2f} GiB) are {done}")
    for trouble in found.troubles[:SHOWN]:
        print(f"  {trouble.problem}: {trouble.sha256} ({trouble.found} is there)")
        for owner in trouble.owners:
            print(f"    {owner}")
    for gap in found.gaps[:SHOWN]:
        print(
            f"  episode {gap.episode_id} counts {gap.stored_steps} steps and its segments hold "
            f"{gap.in_segments}"
        )
    more = max(0, len(found.troubles) - SHOWN) + max(0, len(found.gaps) - SHOWN)
    if more:
        print(f"  and {more} more: --json lists all")
    if found.troubles:
        print(
            "put them back from a backup: `robot-rl db restore BACKUP --missing` (robots send "
            "again only what they still keep)"
        )
    if found.gaps:
        print("restore the database from a backup: `robot-rl db restore BACKUP --data NEW_FOLDER`")
    if found.orphans or found.leftovers:
        print(
            f"nothing refers to {found.orphans} blobs ({found.orphan_bytes / 2**20:.1f} MiB), and "
            f"{found.leftovers} files were never finished: `robot-rl db collect` removes them"
        )
    for lost in found.lost:
        print(
            f"lost for good: {lost.rows} recorded steps and events of robot {lost.robot}, which "
            f"came after the backup that was restored ({lost.reason}); their episodes are not "
            "complete, or not there"
        )
