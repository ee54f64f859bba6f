"""Blobs in a bucket that speaks S3 (AWS, MinIO, Ceph …), through obstore.

Keys and secrets are where every S3 client looks for them: `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, and `AWS_ENDPOINT_URL` for what is not Amazon's.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from robot_rl.errors import Unavailable
from robot_rl.server.blobs import (
    COPIED_BYTES,
    BlobMissing,
    StoredBlob,
    compared,
    is_sha256,
    missing,
)
from robot_rl.server.settings import ServerProblem

if TYPE_CHECKING:
    from collections.abc import Buffer

    from obstore import ReadableFile

CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 60
RETRY_S = 15
ENDPOINT = "AWS_ENDPOINT_URL"


class BucketBlobs:
    """`s3://BUCKET/PREFIX/ab/cdef…`. A key never holds half a blob: S3 shows what is complete."""

    def __init__(self, url: str) -> None:
        """Raises ServerProblem when the bucket cannot be used."""
        bucket, prefix = parsed(url)
        self._url = url
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={
                "allow_http": os.environ.get(ENDPOINT, "").startswith("http://"),
                "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
                "read_timeout": f"{REQUEST_TIMEOUT_S}s",
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=RETRY_S)},
        )
        try:
            next(iter(obstore.list(self._store, chunk_size=1)), None)
        except BaseError as error:
            raise ServerProblem(
                f"the blob store at {url} cannot be used ({_first_line(error)}): correct BLOB_URL, "
                f"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION or {ENDPOINT}"
            ) from error

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.put_file(io.BytesIO(data), sha256)
        return sha256

    def put_file(self, file: BinaryIO, sha256: str) -> None:
        size = file.seek(0, io.SEEK_END)
        try:
            if self.size_bytes(sha256) == size:
                return
        except BlobMissing:
            pass
        file.seek(0)
        with self._asked(sha256):
            obstore.put(self._store, _key(sha256), file)

    def get(self, sha256: str) -> bytes:
        with self._asked(sha256):
            return compared(bytes(obstore.get(self._store, _key(sha256)).bytes()), sha256)

    def open(self, sha256: str) -> BinaryIO:
        with self._asked(sha256):
            opened = obstore.open_reader(self._store, _key(sha256), buffer_size=COPIED_BYTES)
        return io.BufferedReader(_Opened(opened), COPIED_BYTES)

    def has(self, sha256: str) -> bool:
        try:
            self.size_bytes(sha256)
        except BlobMissing:
            return False
        return True

    def size_bytes(self, sha256: str) -> int:
        with self._asked(sha256):
            return obstore.head(self._store, _key(sha256))["size"]

    def listed(self) -> Iterator[StoredBlob]:
        with self._asked(""):
            for page in obstore.list(self._store, chunk_size=1000):
                for found in page:
                    if is_sha256(sha256 := found["path"].replace("/", "")):
                        yield StoredBlob(
                            sha256=sha256,
                            size_bytes=found["size"],
                            stored_t_utc=found["last_modified"],
                        )

    def remove(self, *hashes: str) -> None:
        """One request for up to 1000."""
        with suppress(BlobMissing), self._asked(""):
            obstore.delete(self._store, [_key(sha256) for sha256 in hashes])

    def leftovers(self, before: datetime) -> list[str]:
        """None are visible: the bucket's lifecycle rule aborts uploads that were cut off."""
        del before
        return []

    def discard(self, leftover: str) -> None:
        raise ValueError(f"a bucket has no leftovers, so {leftover!r} is none")

    @contextmanager
    def _asked(self, sha256: str) -> Iterator[None]:
        """Raises BlobMissing or Unavailable."""
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            raise missing(sha256) from error
        except BaseError as error:
            raise Unavailable(
                f"the blob store at {self._url} cannot be used at the moment "
                f"({_first_line(error)}); try again"
            ) from error


class _Opened(io.RawIOBase):
    """obstore's reader, which is no io object."""

    def __init__(self, opened: "ReadableFile") -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._opened.seek(offset, whence)

    def tell(self) -> int:
        return self._opened.tell()

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer)
        piece = bytes(self._opened.read(len(view)))
        view[: len(piece)] = piece
        return len(piece)


def parsed(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://BUCKET/PREFIX`. Raises ServerProblem."""
    found = urlsplit(url)
    if found.scheme != "s3" or not found.netloc or found.query or "@" in found.netloc:
        raise ServerProblem(
            "BLOB_URL is not of the form s3://BUCKET or s3://BUCKET/PREFIX; keys belong into "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: correct it, or unset it to keep blobs "
            "in the data folder"
        )
    return found.netloc, found.path.strip("/")


def _key(sha256: str) -> str:
    if not is_sha256(sha256):
        raise BlobMissing(f"{sha256!r} is not a sha256")
    return f"{sha256[:2]}/{sha256[2:]}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
