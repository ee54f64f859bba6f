"""Bytes that are too big for Postgres: segments, weights, exports. Addressed by their content."""

import hashlib
import io
import re
import shutil
from pathlib import Path
from typing import BinaryIO, Protocol

from robot_rl import durable_file
from robot_rl.errors import NotFound

COPIED_BYTES = 2**20  # at a time
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobMissing(NotFound):
    """There is no blob of that hash."""


class BlobStore(Protocol):
    """Immutable blobs by sha256. `put` returns only when the blob would survive a power cut."""

    def put(self, data: bytes) -> str:
        """Stores `data`, returns its sha256. Storing the same bytes again changes nothing."""
        ...

    def put_file(self, file: BinaryIO, sha256: str) -> None:
        """Stores all of `file`, whose sha256 the caller has taken, a piece at a time."""
        ...

    def get(self, sha256: str) -> bytes:
        """Raises BlobMissing."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """For what is too big for the memory; the caller closes it. Raises BlobMissing."""
        ...

    def has(self, sha256: str) -> bool: ...

    def size_bytes(self, sha256: str) -> int:
        """Raises BlobMissing."""
        ...

    def free_bytes(self) -> int | None:
        """Room that is left, where that is known."""
        ...


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
        if path.is_file():
            return
        with durable_file.replacing(path) as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy, COPIED_BYTES)

    def get(self, sha256: str) -> bytes:
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise BlobMissing(f"there is no blob {sha256}") from error

    def open(self, sha256: str) -> BinaryIO:
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise BlobMissing(f"there is no blob {sha256}") from error

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def size_bytes(self, sha256: str) -> int:
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError as error:
            raise BlobMissing(f"there is no blob {sha256}") from error

    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self._folder).free

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise BlobMissing(f"{sha256!r} is not a sha256")
        return self._folder / sha256[:2] / sha256[2:]
