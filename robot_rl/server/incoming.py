"""Files of policies while they are sent: a piece at a time, and on from where one was cut off."""

import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from robot_rl.errors import BadInput
from robot_rl.schema.policy import PartFile, PartHeld
from robot_rl.server.blobs import BlobStore, content

GIVEN_UP_S = 7 * 86400.0
"""After this long without another piece the beginning of a file is removed."""


class BadPart(BadInput):
    """What was sent is not the file that was announced."""


class IncomingParts:
    """Beginnings of files in a folder; a whole file goes into the blob store."""

    def __init__(self, folder: Path, blobs: BlobStore) -> None:
        self._folder, self._blobs = folder, blobs

    def lacking(self, files: Iterable[PartFile]) -> tuple[PartHeld, ...]:
        """Those that are not here whole, and how much of each is."""
        return tuple(
            PartHeld(sha256=file.sha256, held_bytes=self._begun(file.sha256))
            for file in files
            if not self._blobs.has(file.sha256)
        )

    def _begun(self, sha256: str) -> int:
        return _size_and_time(self._folder / sha256)[0]

    def add(self, sha256: str, size_bytes: int, offset: int, piece: bytes | bytearray) -> int:
        """Append a piece; returns how much is here then.

        A piece that does not begin where the held part ends changes nothing: the sender goes on
        from the answer. Raises BadPart, and the file begins anew.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if offset == 0:
            self._forget_given_up()
        path = self._folder / sha256
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two senders of the same file
            if self._blobs.has(sha256):
                path.unlink(missing_ok=True)
                return size_bytes
            held = file.seek(0, os.SEEK_END)
            if held != offset:
                return held
            file.write(piece)
            held += len(piece)
            if held >= size_bytes:
                self._finish(file, path, sha256, size_bytes)
        return held

    def _finish(self, file: BinaryIO, path: Path, sha256: str, size_bytes: int) -> None:
        file.flush()
        try:
            found, size = content(file)
            if (found, size) != (sha256, size_bytes):
                raise BadPart(
                    f"{size} bytes with sha256 {found[:12]}… came and {size_bytes} bytes with "
                    f"{sha256[:12]}… were announced: send the file that the manifest was made for"
                )
            self._blobs.put_file(file, sha256)
        finally:
            path.unlink(missing_ok=True)

    def _forget_given_up(self) -> None:
        before = time.time() - GIVEN_UP_S
        for path in self._folder.iterdir():
            if _size_and_time(path)[1] < before:
                path.unlink(missing_ok=True)


def _size_and_time(path: Path) -> tuple[int, float]:
    """Of a file that another sender may finish, and so remove, at any moment: 0 bytes, now."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, time.time()
    return found.st_size, found.st_mtime
