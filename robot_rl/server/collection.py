"""Removing blobs that nothing refers to, and what killed writers left behind."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import batched

from robot_rl.schema.message import Message, utc_now
from robot_rl.server import blob_references
from robot_rl.server.blobs import BlobStore, StoredBlob
from robot_rl.server.database import Database

KEPT_FOR = timedelta(days=1)
"""An upload of several requests is over within this time; one that is not sends again."""
_AT_A_TIME = 100  # one request to a bucket; while it lasts, what robots send waits


class Collected(Message):
    """What was removed, or would be."""

    orphans: int
    orphan_bytes: int
    leftovers: int


def orphans(
    database: Database,
    blobs: BlobStore,
    before: datetime,
    *,
    seen: Callable[[], None] = lambda: None,
) -> list[StoredBlob]:
    """Blobs stored before then to which nothing refers; `seen` hears of each looked at."""
    found: list[StoredBlob] = []
    for batch in batched(blobs.listed(), 1000):
        old = [blob for blob in batch if blob.stored_t_utc < before]
        with database.engine.connect() as connection:
            free = blob_references.unreferenced(connection, [blob.sha256 for blob in old])
        found += [blob for blob in old if blob.sha256 in free]
        for _ in batch:
            seen()
    return found


def collect(
    database: Database,
    blobs: BlobStore,
    *,
    kept_for: timedelta = KEPT_FOR,
    seen: Callable[[], None] = lambda: None,
) -> Collected:
    """Removes both where they are older than `kept_for`. Raises Unavailable while a backup runs."""
    before = utc_now() - kept_for
    with blob_references.keeping(database, removing=True):
        found = orphans(database, blobs, before, seen=seen)
        removed = _remove(database, blobs, found)
        leftovers = blobs.leftovers(before)
        for name in leftovers:
            blobs.discard(name)
    return Collected(
        orphans=len(removed),
        orphan_bytes=sum(blob.size_bytes for blob in removed),
        leftovers=len(leftovers),
    )


def _remove(database: Database, blobs: BlobStore, found: Iterable[StoredBlob]) -> list[StoredBlob]:
    """Those of them to which still nothing refers when writers are kept out."""
    removed: list[StoredBlob] = []
    for batch in batched(found, _AT_A_TIME):
        with database.transaction() as connection:
            blob_references.exclude(connection)
            free = blob_references.unreferenced(connection, [blob.sha256 for blob in batch])
            blobs.remove(*free)
        removed += [blob for blob in batch if blob.sha256 in free]
    return removed
