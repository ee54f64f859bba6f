"""Storing what robots recorded: batch by batch, in order, once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pyarrow as pa
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DBAPIError

from robot_rl.errors import Conflict
from robot_rl.schema.feed import FeedEvent, SegmentStored
from robot_rl.schema.ingest import BatchAck, BatchHeader
from robot_rl.schema.live.client_update import InterventionTrained
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import count_trainable, read_table
from robot_rl.schema.segment_check import clock_problem
from robot_rl.server import blob_references, feed
from robot_rl.server.acknowledged import lock_cursor, move_cursor
from robot_rl.server.batch import Item, Segment, Unstorable, check_batch
from robot_rl.server.blobs import BlobMissing, BlobStore
from robot_rl.server.database import Database
from robot_rl.server.problems import never_storable, reason
from robot_rl.server.robot_events import CheckTask, Effect, EventRecorder, any_task
from robot_rl.server.tables import EpisodeTable, IngestCursorTable, SegmentTable


class OutOfOrder(Conflict):
    """A batch that does not continue what is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """What a batch has brought about, after the commit."""

    ack: BatchAck
    trained: tuple[InterventionTrained, ...] = ()
    activated_tasks: frozenset[str] = frozenset()


def read_cursor(database: Database, robot: str, boot_epoch: UUID) -> BatchAck:
    """Up to where an outbox is stored; 0 when nothing of it is."""
    query = select(IngestCursorTable.last_sequence).where(
        IngestCursorTable.robot == robot, IngestCursorTable.boot_epoch == boot_epoch
    )
    with database.engine.connect() as connection:
        last = connection.execute(query).scalar_one_or_none()
    return BatchAck(boot_epoch=boot_epoch, last_sequence=last or 0)


def store_batch(
    database: Database,
    blobs: BlobStore,
    header: BatchHeader,
    files: Mapping[str, bytes],
    *,
    check_task: CheckTask = any_task,
) -> StoredBatch:
    """Stores what of a batch is new; all of it is on disk when this returns.

    What came before is compared with what is stored, and refused where it differs.
    Raises BadBatch, BadItem, OutOfOrder, VersionMismatch, or what `check_task` raises for the task
    of an item, and nothing is stored.

    Frames are stored before the transaction: they are addressed by content, so a batch that is
    then refused or sent again leaves at most an unused blob, and the cursor is locked briefly.
    """
    items = check_batch(header, files)
    known = read_cursor(database, header.robot, header.boot_epoch).last_sequence
    for item in items:
        if isinstance(item.content, Segment) and item.last_sequence > known:
            blobs.put(item.content.data)
    with database.transaction() as connection:
        blob_references.hold(connection)
        last = lock_cursor(connection, header.robot, header.boot_epoch)
        if header.first_sequence > last + 1 and not header.ahead:
            raise OutOfOrder(
                f"the batch starts at sequence {header.first_sequence} and the next one of "
                f"{header.robot} is {last + 1}: send from there"
            )
        stored = _store_items(connection, blobs, header, items, check_task)
        if not header.ahead:
            last = max(last, header.last_sequence)
            move_cursor(connection, header.robot, header.boot_epoch, last)
        for task, events in stored.feed.items():
            feed.append(connection, task, events)
    return StoredBatch(
        ack=BatchAck(boot_epoch=header.boot_epoch, last_sequence=last),
        trained=tuple(stored.trained),
        activated_tasks=frozenset(stored.activated_tasks),
    )


@dataclass(slots=True, kw_only=True)
class _Outcome:
    feed: dict[str, list[FeedEvent]] = field(default_factory=dict)
    trained: list[InterventionTrained] = field(default_factory=list)
    activated_tasks: set[str] = field(default_factory=set)

    def add(self, effect: Effect) -> None:
        if effect.task is not None and effect.events:
            self.feed.setdefault(effect.task, []).extend(effect.events)
        if effect.activated and effect.task is not None:
            self.activated_tasks.add(effect.task)
        self.trained.extend(effect.trained)


def _store_items(
    connection: Connection,
    blobs: BlobStore,
    header: BatchHeader,
    items: Sequence[Item],
    check_task: CheckTask,
) -> _Outcome:
    """Raises BadItem for the first one that will never be stored."""
    outcome = _Outcome()
    recorder = EventRecorder(
        connection=connection,
        robot=header.robot,
        boot_epoch=header.boot_epoch,
        check_task=check_task,
    )
    for item in items:
        try:
            if isinstance(item.content, Segment):
                stored = _store_segment(connection, blobs, header.robot, item.content, check_task)
                if stored is not None:
                    task, event = stored
                    outcome.feed.setdefault(task, []).append(event)
            else:
                outcome.add(recorder.record(item.content))
        except Unstorable as error:
            raise item.refused(str(error)) from error
        except DBAPIError as error:
            if not never_storable(error):
                raise
            raise item.refused(f"the database cannot hold it: {reason(error)}") from error
    return outcome


def _store_segment(
    connection: Connection, blobs: BlobStore, robot: str, part: Segment, check_task: CheckTask
) -> tuple[str, SegmentStored] | None:
    """Stores the steps that are new; None when all of them are here already.

    Raises Unstorable, also when steps under these numbers are here that are others.
    """
    ref = part.ref
    episode = connection.execute(
        select(
            *(EpisodeTable.robot, EpisodeTable.task, EpisodeTable.cameras),
            *(EpisodeTable.stored_steps, EpisodeTable.policy_versions, EpisodeTable.risk_max),
            *(EpisodeTable.limit_profiles, EpisodeTable.last_t_robot_ns),
            *(EpisodeTable.state_shape, EpisodeTable.action_columns),
        )
        .where(EpisodeTable.episode_id == ref.episode_id)
        .with_for_update()
    ).one_or_none()
    if episode is None:
        raise Unstorable(f"steps of episode {ref.episode_id} came before its start")
    if episode.robot != robot:
        raise Unstorable(
            f"episode {ref.episode_id} is of robot {episode.robot}: {robot} may not add steps to it"
        )
    check_task(episode.task)
    if ref.first_index > episode.stored_steps:
        raise Unstorable(
            f"step {ref.first_index} of episode {ref.episode_id} came and step "
            f"{episode.stored_steps} is the next one"
        )
    known = min(episode.stored_steps - ref.first_index, ref.count)
    if known and not _are_stored(connection, blobs, part, known):
        raise Unstorable(
            f"other steps are stored as {ref.first_index} to {ref.first_index + known - 1} of "
            f"episode {ref.episode_id}"
        )
    if known == ref.count:
        return None
    _check_continues(
        part,
        known,
        last_ns=episode.last_t_robot_ns,
        shape=episode.state_shape,
        columns=episode.action_columns,
    )
    table, sha256, size_bytes = part.table, ref.sha256, len(part.data)
    if known > 0:  # sent again together with newer steps
        table = table.slice(known)
        data = _encode(table)
        sha256, size_bytes = blobs.put(data), len(data)
    elif not blobs.has(sha256):  # nothing referred to it until now, and it was collected
        blobs.put(part.data)
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
            last_t_robot_ns=part.times_ns[-1],
            state_shape=part.state_shape,
            action_columns=part.action_columns or episode.action_columns,
            limit_profiles=[*dict.fromkeys([*episode.limit_profiles, *_profiles(table)])],
            **({"policy_version": acted[-1]} if acted else {}),
        )
    )
    return episode.task, segment


def _check_continues(
    part: Segment, known: int, *, last_ns: int | None, shape: str | None, columns: int | None
) -> None:
    """Raises Unstorable when its steps, from position `known` on, cannot follow the episode's."""
    if problem := clock_problem(part.times_ns[known], last_ns):
        raise Unstorable(f"step {part.ref.first_index + known}: {problem}")
    if shape not in (None, part.state_shape):
        raise Unstorable(f"its steps measure {part.state_shape}, and those before {shape}")
    if None not in (part.action_columns, columns) and part.action_columns != columns:
        raise Unstorable(
            f"its actions have {part.action_columns} columns, and those before {columns}"
        )


def _profiles(table: pa.Table) -> Iterator[str]:
    """Limit profiles of its steps; a robot of an older version does not say."""
    if "limit_profiles" in table.schema.names:
        for names in table.column("limit_profiles").to_pylist():
            yield from names


def _are_stored(connection: Connection, blobs: BlobStore, part: Segment, count: int) -> bool:
    """Whether the first `count` steps of `part` are what is stored under their numbers.

    The bytes may differ: a robot cuts its recording anew when it sends again.
    """
    ref = part.ref
    rows = connection.execute(
        select(SegmentTable.first_index, SegmentTable.count, SegmentTable.sha256)
        .where(
            SegmentTable.episode_id == ref.episode_id,
            SegmentTable.first_index < ref.first_index + count,
            SegmentTable.first_index + SegmentTable.count > ref.first_index,
        )
        .order_by(SegmentTable.first_index)
    ).all()
    for row in rows:
        if (row.first_index, row.sha256) == (ref.first_index, ref.sha256):
            continue
        first = max(row.first_index, ref.first_index)
        length = min(row.first_index + row.count, ref.first_index + count) - first
        sent = part.table.slice(first - ref.first_index, length)
        try:
            here = read_table(blobs.get(row.sha256)).slice(first - row.first_index, length)
        except BlobMissing as error:  # what the robot has may be all that is left of it
            raise Unstorable(f"they were stored before and cannot be compared: {error}") from error
        names = set(sent.schema.names) & set(here.schema.names)  # an update may have added one
        if any(not sent[name].equals(here[name]) for name in names):
            return False
    return bool(rows)


def _encode(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
