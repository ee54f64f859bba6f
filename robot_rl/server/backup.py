"""Backups: dumps of the database at several moments, and beside them every blob they refer to.

`FOLDER/database-20260102T030405Z.dump`, a `.json` of the same name that is written last, and
`FOLDER/blobs`, to which each backup adds what is new.

The database is dumped first, then the blobs are copied. A blob is in the store before a row refers
to it, and none is removed as long as `blob_references.keeping` is held: whatever the dump refers to
is still there when the copying comes to it, however much robots record meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from robot_rl import durable_file
from robot_rl.errors import Conflict, NotFound
from robot_rl.schema.message import Message, utc_now
from robot_rl.server import acknowledged, blob_references, integrity, migration, postgres_programs
from robot_rl.server.blobs import BlobMissing, BlobStore, FolderBlobs, content, damaged
from robot_rl.server.database import Database

type Progress = Callable[[], None]


class Backup(Message):
    """What a backup's `.json` says. `lost`: blobs that were damaged or missing already."""

    format: int = 1
    t_utc: datetime
    schema_version: str
    dump_sha256: str
    blobs: int
    blob_bytes: int
    copied: int  # the others were in the folder from an earlier backup
    lost: tuple[str, ...]


class Returned(Message):
    """Blobs that were put back, and those that the backup does not have."""

    blobs: int
    lacking: tuple[str, ...]


def blobs_in(folder: Path) -> FolderBlobs:
    return FolderBlobs(folder / "blobs")


def make(database: Database, blobs: BlobStore, folder: Path, *, seen: Progress) -> Backup:
    """Also while robots record. Raises Unavailable, OSError or PostgresProgramFailed."""
    version = migration.check(database)
    durable_file.make_folder(folder)
    now = utc_now()
    dump = folder / f"database-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.dump"
    kept = blobs_in(folder)
    count = size_bytes = copied = 0
    lost: list[str] = []
    with blob_references.keeping(database, removing=False):
        dump_sha256 = _dump(database, dump)
        for reference in blob_references.references(database):
            count, size_bytes = count + 1, size_bytes + reference.size_bytes
            try:
                copied += _copy(blobs, kept, reference.sha256, reference.size_bytes)
            except BlobMissing:
                lost.append(reference.sha256)
            seen()
    made = Backup(
        t_utc=now,
        schema_version=version,
        dump_sha256=dump_sha256,
        blobs=count,
        blob_bytes=size_bytes,
        copied=copied,
        lost=tuple(lost),
    )
    durable_file.write(dump.with_suffix(".json"), made.model_dump_json(indent=2).encode())
    return made


def newest(folder: Path) -> tuple[Backup, Path]:
    """The newest backup that was finished, and its dump. Raises NotFound or Conflict."""
    names = sorted(path for path in folder.glob("database-*.json"))
    if not names:
        raise NotFound(
            f"{folder} holds no finished backup: name the folder that `robot-rl db backup` wrote to"
        )
    try:
        found = Backup.model_validate_json(names[-1].read_bytes())
    except ValidationError as error:
        raise Conflict(
            f"{names[-1]} is damaged, or of a newer robot-rl: move it away to take the backup "
            "before it"
        ) from error
    return found, names[-1].with_suffix(".dump")


def restore(
    database: Database, blobs: BlobStore, folder: Path, *, seen: Progress
) -> tuple[Backup, Returned]:
    """Into a database without tables; at the newest schema afterwards, in a new generation.

    Robots then send again what they had recorded since (robot_rl.daemon.link.refill).

    Raises NotFound, Conflict or PostgresProgramFailed.
    """
    backup, dump = newest(folder)
    if migration.found(database) is not None:
        raise Conflict(
            "the database holds robot-rl's tables already: name an empty folder with --data, or "
            "an empty database with DATABASE_URL; --missing puts only blobs back"
        )
    with dump.open("rb") as file:
        sha256, _ = content(file)
    if sha256 != backup.dump_sha256:
        raise Conflict(
            f"{dump} has sha256 {sha256[:12]}… and {backup.dump_sha256[:12]}… was written: it is "
            "damaged; move it and its .json away to take the backup before it"
        )
    postgres_programs.restore(database, dump)
    migration.upgrade(database)
    acknowledged.begin_generation(database)
    return backup, put_back(database, blobs, folder, seen=seen)


def put_back(database: Database, blobs: BlobStore, folder: Path, *, seen: Progress) -> Returned:
    """From a backup what the database refers to and the store does not hold whole and unchanged."""
    kept = blobs_in(folder)
    count, lacking = 0, list[str]()
    for reference in blob_references.references(database):
        if integrity.wrong_with(blobs, reference, read=True):
            try:
                _replace(kept, blobs, reference.sha256, reference.size_bytes)
                count += 1
            except BlobMissing:
                lacking.append(reference.sha256)
        seen()
    return Returned(blobs=count, lacking=tuple(lacking))


def _dump(database: Database, path: Path) -> str:
    """Its sha256, when it is on the disk."""
    part = path.with_name(f".{path.name}{durable_file.PART}")
    try:
        postgres_programs.dump(database, part)
        with part.open("rb") as file:
            sha256, _ = content(file)
            durable_file.sync(file)
        durable_file.put(part, path)
    finally:
        part.unlink(missing_ok=True)
    return sha256


def _copy(source: BlobStore, target: BlobStore, sha256: str, size_bytes: int) -> bool:
    """False when it is there already. Raises BlobMissing when it is not whole in `source`."""
    if target.has(sha256) and target.size_bytes(sha256) == size_bytes:
        return False
    with _whole(source, sha256, size_bytes) as file:
        target.put_file(file, sha256)
    return True


def _replace(source: BlobStore, target: BlobStore, sha256: str, size_bytes: int) -> None:
    """What is in `target` stays when this raises BlobMissing: a part of it may be readable."""
    with _whole(source, sha256, size_bytes) as file:
        target.remove(sha256)
        target.put_file(file, sha256)


@contextmanager
def _whole(source: BlobStore, sha256: str, size_bytes: int) -> Iterator[BinaryIO]:
    """The blob, read once and compared. Raises BlobMissing."""
    with source.open(sha256) as file:
        if content(file) != (sha256, size_bytes):
            raise damaged(sha256)
        yield file
