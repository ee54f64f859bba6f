"""Bytes that are too big for Postgres: segments and weights. Addressed by their content."""

import hashlib
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from robot_rl import durable_file
from robot_rl.errors import NotFound

COPIED_BYTES = 2**20  # at a time
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHAT_TO_DO = "`robot-rl db check` says what it belongs to and how to bring it back"


class BlobMissing(NotFound):
    """There is no blob of that hash."""


class BlobDamaged(BlobMissing):
    """What is stored under that hash is something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """A blob as the store lists it; its content was not read."""

    sha256: str
    size_bytes: int
    stored_t_utc: datetime


class BlobStore(Protocol):
    """Immutable blobs by sha256. `put` returns only when the blob would survive a power cut.

    Who refers to a blob in the database follows the rule in server/blob_references.py.
    """

    def put(self, data: bytes) -> str:
        """Stores `data`, returns its sha256. Storing the same bytes again changes nothing."""
        ...

    def put_file(self, file: BinaryIO, sha256: str) -> None:
        """Stores all of `file`, whose sha256 the caller has taken, a piece at a time."""
        ...

    def get(self, sha256: str) -> bytes:
        """Its bytes, compared with the hash. Raises BlobMissing or BlobDamaged."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """For what is too big for the memory; its reader compares the hash, and closes it.

        Raises BlobMissing.
        """
        ...

    def has(self, sha256: str) -> bool: ...

    def size_bytes(self, sha256: str) -> int:
        """Raises BlobMissing."""
        ...

    def listed(self) -> Iterator[StoredBlob]:
        """Everything that is stored whole."""
        ...

    def remove(self, *hashes: str) -> None:
        """All of them at once; nothing happens to one that is not there."""
        ...

    def leftovers(self, before: datetime) -> list[str]:
        """Names of what writers that were killed before then have left behind."""
        ...

    def discard(self, leftover: str) -> None:
        """Removes one of `leftovers`."""
        ...


def missing(sha256: str) -> BlobMissing:
    return BlobMissing(f"there is no blob {sha256[:64]}: {_WHAT_TO_DO}")


def damaged(sha256: str) -> BlobDamaged:
    return BlobDamaged(f"the blob {sha256} is damaged: {_WHAT_TO_DO}")


def is_sha256(name: str) -> bool:
    return _SHA256.fullmatch(name) is not None


def compared(data: bytes, sha256: str) -> bytes:
    """`data`, when it is what `sha256` names. Raises BlobDamaged."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise damaged(sha256)
    return data


def content(file: BinaryIO) -> tuple[str, int]:
    """SHA-256 and size, read a piece at a time: a backbone may be bigger than the memory."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(COPIED_BYTES):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


class FolderBlobs:
    """`<folder>/ab/cdef…`: written, synced, then renamed, so a name never holds half a blob."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.put_file(io.BytesIO(data), sha256)
        return sha256

    def put_file(self, file: BinaryIO, sha256: str) -> None:
        path = self._path(sha256)
        found = _size_and_time(path)
        if found is not None and found[0] == file.seek(0, io.SEEK_END):
            return
        with durable_file.replacing(path) as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy, COPIED_BYTES)

    def get(self, sha256: str) -> bytes:
        with self.open(sha256) as file:
            return compared(file.read(), sha256)

    def open(self, sha256: str) -> BinaryIO:
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise missing(sha256) from error

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def size_bytes(self, sha256: str) -> int:
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError as error:
            raise missing(sha256) from error

    def listed(self) -> Iterator[StoredBlob]:
        for path in self._folder.glob("??/*"):
            found = _size_and_time(path)
            if is_sha256(sha256 := path.parent.name + path.name) and found is not None:
                yield StoredBlob(sha256=sha256, size_bytes=found[0], stored_t_utc=found[1])

    def remove(self, *hashes: str) -> None:
        for sha256 in hashes:
            self._path(sha256).unlink(missing_ok=True)

    def leftovers(self, before: datetime) -> list[str]:
        found = ((path, _size_and_time(path)) for path in self._folder.glob("??/.*"))
        old = (path for path, known in found if known is not None and known[1] < before)
        return sorted(str(path.relative_to(self._folder)) for path in old)

    def discard(self, leftover: str) -> None:
        (self._folder / leftover).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise BlobMissing(f"{sha256!r} is not a sha256")
        return self._folder / sha256[:2] / sha256[2:]


def _size_and_time(path: Path) -> tuple[int, datetime] | None:
    """None when there is no such file, as when its writer has just renamed it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)
