"""Whether everything that the database refers to is in the blob store, whole and unchanged."""

from collections.abc import Callable, Iterator
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, func, select

from robot_rl.schema.message import Message, utc_now
from robot_rl.server import acknowledged, blob_references, collection
from robot_rl.server.acknowledged import LostRows
from robot_rl.server.blob_references import BlobReference
from robot_rl.server.blobs import BlobMissing, BlobStore, content
from robot_rl.server.database import Database
from robot_rl.server.tables import EpisodeTable, PolicyFileTable, PolicyTable, SegmentTable


class Steps(Message):
    """Steps of an episode that lie in a blob."""

    kind: Literal["steps"] = "steps"
    episode_id: UUID
    task: str
    robot: str
    first_index: int
    last_index: int

    def __str__(self) -> str:
        return (
            f"steps {self.first_index} to {self.last_index} of episode {self.episode_id} "
            f"({self.task}, {self.robot})"
        )


class Weights(Message):
    """A file of a policy that lies in a blob."""

    kind: Literal["weights"] = "weights"
    task: str
    version: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} of policy {self.version} of {self.task}"


class Trouble(Message):
    """A blob that cannot be read, and what is lost with it."""

    sha256: str
    problem: Literal["missing", "damaged"]
    found: str  # what is there instead
    owners: tuple[Steps | Weights, ...]


class Gap(Message):
    """An episode whose segments are not its stored steps, each once."""

    episode_id: UUID
    stored_steps: int
    in_segments: int


class Findings(Message):
    """`blobs` that were looked at; `read`: and compared with their hash.

    `lost`: what a restore cost, which robots could not send again; the rest is sound without it.
    """

    blobs: int
    size_bytes: int
    read: bool
    troubles: tuple[Trouble, ...]
    gaps: tuple[Gap, ...]
    orphans: int
    orphan_bytes: int
    leftovers: int
    lost: tuple[LostRows, ...] = ()

    @property
    def sound(self) -> bool:
        return not self.troubles and not self.gaps


def look(
    database: Database,
    blobs: BlobStore,
    *,
    read: bool,
    seen: Callable[[], None] = lambda: None,
) -> Findings:
    """Also while robots record. `read` compares contents, which takes as long as reading them all.

    `seen` hears of each blob that the database refers to.
    """
    with database.engine.connect() as connection:
        gaps = tuple(_gaps(connection))
    troubles: list[Trouble] = []
    count = size_bytes = 0
    for reference in blob_references.references(database):
        found = wrong_with(blobs, reference, read=read)
        if found:
            trouble = _trouble(database, reference, found)
            troubles += [trouble] if trouble.owners else []  # it was thinned meanwhile
        count, size_bytes = count + 1, size_bytes + reference.size_bytes
        seen()
    before = utc_now() - collection.KEPT_FOR
    orphans = collection.orphans(database, blobs, before)
    return Findings(
        blobs=count,
        size_bytes=size_bytes,
        read=read,
        troubles=tuple(troubles),
        gaps=gaps,
        orphans=len(orphans),
        orphan_bytes=sum(blob.size_bytes for blob in orphans),
        leftovers=len(blobs.leftovers(before)),
        lost=acknowledged.lost_rows(database),
    )


def referred(database: Database) -> int:
    """How many blobs `look` will look at, more or less."""
    with database.engine.connect() as connection:
        counts = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (SegmentTable, PolicyFileTable)
        )
        return sum(counts)


def wrong_with(blobs: BlobStore, reference: BlobReference, *, read: bool) -> str:
    """What is wrong with a blob; empty: nothing."""
    try:
        size = blobs.size_bytes(reference.sha256)
        if size != reference.size_bytes:
            return f"{size} bytes in place of {reference.size_bytes}"
        if not read:
            return ""
        with blobs.open(reference.sha256) as file:
            sha256, _ = content(file)
    except BlobMissing:
        return "nothing"
    return "" if sha256 == reference.sha256 else f"bytes with sha256 {sha256[:12]}…"


def _trouble(database: Database, reference: BlobReference, found: str) -> Trouble:
    with database.engine.connect() as connection:
        owners = tuple(_owners(connection, reference.sha256))
    return Trouble(
        sha256=reference.sha256,
        problem="missing" if found == "nothing" else "damaged",
        found=found,
        owners=owners,
    )


def _owners(connection: Connection, sha256: str) -> Iterator[Steps | Weights]:
    segments = (
        select(SegmentTable.__table__, EpisodeTable.task, EpisodeTable.robot)
        .join(EpisodeTable, EpisodeTable.episode_id == SegmentTable.episode_id)
        .where(SegmentTable.sha256 == sha256)
    )
    for row in connection.execute(segments):
        yield Steps(
            episode_id=row.episode_id,
            task=row.task,
            robot=row.robot,
            first_index=row.first_index,
            last_index=row.first_index + row.count - 1,
        )
    weights = (
        select(PolicyTable.task, PolicyTable.version, PolicyFileTable.name)
        .join(PolicyTable, PolicyTable.policy_id == PolicyFileTable.policy_id)
        .where(PolicyFileTable.sha256 == sha256)
        .order_by(PolicyTable.version)
    )
    for row in connection.execute(weights):
        yield Weights(task=row.task, version=row.version, name=row.name)


def _gaps(connection: Connection) -> Iterator[Gap]:
    """Counted and by their ends: recording lets no segments of an episode overlap."""
    of = (
        select(
            SegmentTable.episode_id,
            func.sum(SegmentTable.count).label("count"),
            func.max(SegmentTable.first_index + SegmentTable.count).label("end"),
        )
        .group_by(SegmentTable.episode_id)
        .subquery()
    )
    count, end = func.coalesce(of.c.count, 0), func.coalesce(of.c.end, 0)
    query = (
        select(EpisodeTable.episode_id, EpisodeTable.stored_steps, count.label("in_segments"))
        .outerjoin(of, of.c.episode_id == EpisodeTable.episode_id)
        .where((EpisodeTable.stored_steps != count) | (EpisodeTable.stored_steps != end))
    )
    for row in connection.execute(query):
        yield Gap(
            episode_id=row.episode_id,
            stored_steps=row.stored_steps,
            in_segments=int(row.in_segments),
        )
