"""Storing what robots recorded: batch by batch, in order, once (DESIGN.md section 5)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from robot_rl.errors import BadInput, Conflict, VersionMismatch
from robot_rl.schema.feed import FeedEvent, SegmentStored
from robot_rl.schema.ingest import BatchAck, BatchHeader, SegmentRef
from robot_rl.schema.live import InterventionTrained
from robot_rl.schema.message import PROTOCOL_VERSION, new_id
from robot_rl.schema.segment import BadSegment, count_trainable, read_table
from robot_rl.server import feed
from robot_rl.server.blobs import BlobStore
from robot_rl.server.database import Database
from robot_rl.server.robot_events import BadEvent, EventRecorder
from robot_rl.server.tables import EpisodeTable, IngestCursorTable, RobotTable, SegmentTable


class BadBatch(BadInput):
    """A batch that will never be accepted as it is: the message is one plain sentence."""


class OutOfOrder(Conflict):
    """A batch that does not continue what is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a batch has brought about, after the commit."""

    ack: BatchAck
    trained: tuple[InterventionTrained, ...] = ()
    activated_tasks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A checked segment of a batch."""

    ref: SegmentRef
    table: pa.Table = field(repr=False)
    size_bytes: int


def read_cursor(database: Database, robot: str, boot_epoch: UUID) -> BatchAck:
    """Up to where an outbox is stored; 0 when nothing of it is."""
    query = select(IngestCursorTable.last_sequence).where(
        IngestCursorTable.robot == robot, IngestCursorTable.boot_epoch == boot_epoch
    )
    with database.engine.connect() as connection:
        last = connection.execute(query).scalar_one_or_none()
    return BatchAck(boot_epoch=boot_epoch, last_sequence=last or 0)


def store_batch(
    database: Database, blobs: BlobStore, header: BatchHeader, files: Mapping[str, bytes]
) -> Stored:
    """Stores what of a batch is new; all of it is on disk when this returns.

    Raises BadBatch, OutOfOrder or VersionMismatch.

    Frames are stored before the transaction: they are addressed by content, so a batch that is
    then refused or sent again leaves at most an unused file, and the cursor is locked briefly.
    """
    _check_header(header)
    parts = _check_parts(header, files)
    known = read_cursor(database, header.robot, header.boot_epoch)
    if header.last_sequence <= known.last_sequence:
        return Stored(ack=known)
    for ref in parts:
        blobs.put(files[ref])
    with database.transaction() as connection:
        last = _lock_cursor(connection, header)
        if header.last_sequence <= last:
            return Stored(ack=BatchAck(boot_epoch=header.boot_epoch, last_sequence=last))
        if header.first_sequence > last + 1:
            raise OutOfOrder(
                f"the batch starts at sequence {header.first_sequence} and the next one of "
                f"{header.robot} is {last + 1}: send from there"
            )
        stored = _store_items(connection, blobs, header, parts)
        connection.execute(
            update(IngestCursorTable)
            .where(
                IngestCursorTable.robot == header.robot,
                IngestCursorTable.boot_epoch == header.boot_epoch,
            )
            .values(last_sequence=header.last_sequence, t_utc=func.now())
        )
        for task, events in stored.feed.items():
            feed.append(connection, task, events)
    return Stored(
        ack=BatchAck(boot_epoch=header.boot_epoch, last_sequence=header.last_sequence),
        trained=tuple(stored.trained),
        activated_tasks=frozenset(stored.activated_tasks),
    )


def _check_header(header: BatchHeader) -> None:
    if header.protocol != PROTOCOL_VERSION:
        raise VersionMismatch(
            f"the robot speaks protocol {header.protocol} and this server {PROTOCOL_VERSION}: "
            "install the same version of robot-rl on both"
        )
    if header.last_sequence < header.first_sequence:
        raise BadBatch(
            f"the batch ends at sequence {header.last_sequence}, before it starts at "
            f"{header.first_sequence}"
        )


def _check_parts(header: BatchHeader, files: Mapping[str, bytes]) -> dict[str, _Part]:
    """Part name → segment whose bytes are what the header says."""
    parts: dict[str, _Part] = {}
    for item in header.items:
        if not isinstance(item, SegmentRef):
            continue
        data = files.get(item.part)
        if data is None:
            raise BadBatch(f"the batch names a part {item.part!r} and does not hold it")
        if item.part in parts:
            raise BadBatch(f"the batch names the part {item.part!r} twice")
        found = hashlib.sha256(data).hexdigest()
        if found != item.sha256:
            raise BadBatch(
                f"part {item.part!r} has sha256 {found[:12]}… and the header says "
                f"{item.sha256[:12]}…: it was damaged on the way, send it again"
            )
        parts[item.part] = _Part(ref=item, table=_read(item, data), size_bytes=len(data))
    unused = files.keys() - parts.keys()
    if unused:
        raise BadBatch(f"the batch holds a part {min(unused)!r} that no item names")
    return parts


def _read(ref: SegmentRef, data: bytes) -> pa.Table:
    try:
        table = read_table(data)
        indices = table.column("index").to_pylist()
        episodes = set(table.column("episode_id").to_pylist())
    except (BadSegment, KeyError) as error:
        raise BadBatch(f"part {ref.part!r}: {error}") from error
    if indices != list(range(ref.first_index, ref.first_index + ref.count)):
        raise BadBatch(
            f"part {ref.part!r} does not hold steps {ref.first_index} to "
            f"{ref.first_index + ref.count - 1} as its header says"
        )
    if episodes != {str(ref.episode_id)}:
        raise BadBatch(f"part {ref.part!r} does not hold steps of episode {ref.episode_id}")
    return table


def _lock_cursor(connection: Connection, header: BatchHeader) -> int:
    """The cursor, its row locked: batches of one outbox are stored one after the other."""
    key = {"robot": header.robot, "boot_epoch": header.boot_epoch}
    connection.execute(upsert(RobotTable).values(name=header.robot).on_conflict_do_nothing())
    connection.execute(
        upsert(IngestCursorTable).values(**key, last_sequence=0).on_conflict_do_nothing()
    )
    return connection.execute(
        select(IngestCursorTable.last_sequence).filter_by(**key).with_for_update()
    ).scalar_one()


@dataclass(slots=True, kw_only=True)
class _Outcome:
    feed: dict[str, list[FeedEvent]] = field(default_factory=dict)
    trained: list[InterventionTrained] = field(default_factory=list)
    activated_tasks: set[str] = field(default_factory=set)


def _store_items(
    connection: Connection, blobs: BlobStore, header: BatchHeader, parts: Mapping[str, _Part]
) -> _Outcome:
    outcome = _Outcome()
    recorder = EventRecorder(
        connection=connection, robot=header.robot, boot_epoch=header.boot_epoch
    )
    for item in header.items:
        if isinstance(item, SegmentRef):
            stored = _store_segment(connection, blobs, parts[item.part])
            if stored is not None:
                task, event = stored
                outcome.feed.setdefault(task, []).append(event)
            continue
        try:
            effect = recorder.record(item)
        except BadEvent as error:
            raise BadBatch(str(error)) from error
        if effect.task is not None and effect.events:
            outcome.feed.setdefault(effect.task, []).extend(effect.events)
        if effect.activated and effect.task is not None:
            outcome.activated_tasks.add(effect.task)
        outcome.trained.extend(effect.trained)
    return outcome


def _store_segment(
    connection: Connection, blobs: BlobStore, part: _Part
) -> tuple[str, SegmentStored] | None:
    """Stores the steps that are new; None when all of them are here already."""
    ref = part.ref
    episode = connection.execute(
        select(
            *(EpisodeTable.task, EpisodeTable.cameras, EpisodeTable.stored_steps),
            *(EpisodeTable.policy_versions, EpisodeTable.risk_max),
        )
        .where(EpisodeTable.episode_id == ref.episode_id)
        .with_for_update()
    ).one_or_none()
    if episode is None:
        raise BadBatch(f"steps of episode {ref.episode_id} came before its start")
    if ref.first_index > episode.stored_steps:
        raise BadBatch(
            f"step {ref.first_index} of episode {ref.episode_id} came and step "
            f"{episode.stored_steps} is the next one"
        )
    known = episode.stored_steps - ref.first_index
    if known >= ref.count:
        return None
    table, sha256, size_bytes = part.table, ref.sha256, part.size_bytes
    if known > 0:  # sent again together with newer steps
        table = table.slice(known)
        data = _encode(table)
        sha256, size_bytes = blobs.put(data), len(data)
    segment = SegmentStored(
        segment_id=new_id(),
        episode_id=ref.episode_id,
        first_index=ref.first_index + known,
        count=ref.count - known,
        sha256=sha256,
    )
    connection.execute(
        insert(SegmentTable).values(
            **segment.model_dump(exclude={"kind"}),
            size_bytes=size_bytes,
        )
    )
    versions = [*episode.policy_versions]
    for version in table.column("policy_version").to_pylist():
        if version is not None and version not in versions:
            versions.append(version)
    risks = [risk for risk in table.column("risk").to_pylist() if risk is not None]
    if episode.risk_max is not None:
        risks.append(episode.risk_max)
    acted = [v for v in table.column("policy_version").to_pylist() if v is not None]
    connection.execute(
        update(EpisodeTable)
        .where(EpisodeTable.episode_id == ref.episode_id)
        .values(
            stored_steps=EpisodeTable.stored_steps + segment.count,
            trainable_steps=EpisodeTable.trainable_steps + count_trainable(table, episode.cameras),
            human_steps=EpisodeTable.human_steps
            + table.column("source").to_pylist().count("human"),
            policy_versions=versions,
            risk_max=max(risks, default=None),
            **({"policy_version": acted[-1]} if acted else {}),
        )
    )
    return episode.task, segment


def _encode(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
