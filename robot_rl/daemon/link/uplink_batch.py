"""Cutting the outbox into batches: consecutive steps become a segment, events keep their place."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from robot_rl.daemon.outbox.file import OutboxRow
from robot_rl.daemon.outbox.reader import PendingRows
from robot_rl.daemon.outbox.sent import KeptBatch
from robot_rl.schema.ingest import BatchHeader, BatchItem, SegmentRef
from robot_rl.schema.message import utc_now
from robot_rl.schema.segment import RecordedStep, encode_segment
from safety.vocabulary import Source

BATCH_ROWS = 64
BATCH_SPAN_NS = 500_000_000  # robot time of the steps in one batch
DRIVEN_LINGER_S = 0.15  # about two steps of the shipped tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkBatch:
    """Ready to be posted. `last_number` is the outbox row that an acknowledgement covers."""

    header: BatchHeader
    files: dict[str, bytes] = field(repr=False)
    first_number: int
    last_number: int


def ripe_rows(rows: Sequence[OutboxRow], waited_s: float, linger_s: float) -> int:
    """How many of the waiting rows make up the next batch; 0: wait for more.

    A batch is full at 64 rows or 500 ms of steps, ends with every event, and goes out as it is
    after `linger_s`, or sooner with steps that a person drove: they watch what becomes of them. In
    lock-step the same rule, being about robot time, cuts by virtual time.
    """
    first_ns: int | None = None
    driven = False
    for count, row in enumerate(rows, start=1):
        content = row.content
        if count == BATCH_ROWS or (
            # An event is sent at once, with the ones that came right behind it.
            not isinstance(content, RecordedStep)
            and (count == len(rows) or isinstance(rows[count].content, RecordedStep))
        ):
            return count
        if isinstance(content, RecordedStep):
            driven = driven or content.step.source is Source.HUMAN
            t_ns = content.step.t_robot_ns
            first_ns = t_ns if first_ns is None or t_ns < first_ns else first_ns
            if t_ns - first_ns >= BATCH_SPAN_NS:
                return max(count - 1, 1)
    longest_s = min(linger_s, DRIVEN_LINGER_S) if driven else linger_s
    return len(rows) if waited_s >= longest_s else 0


def cut_batch(pending: PendingRows, rows: Sequence[OutboxRow], robot: str) -> UplinkBatch:
    """A batch of `rows`, which must be consecutive rows of `pending`."""
    items: list[BatchItem] = []
    files: dict[str, bytes] = {}
    run: list[RecordedStep] = []

    def end_run() -> None:
        if not run:
            return
        part = f"segment{len(files)}"
        data = encode_segment(run)
        files[part] = data
        items.append(
            SegmentRef(
                part=part,
                episode_id=run[0].step.episode_id,
                first_index=run[0].step.index,
                count=len(run),
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
        run.clear()

    for row in rows:
        content = row.content
        if not isinstance(content, RecordedStep):
            end_run()
            items.append(content)
            continue
        if run and not _continues(run[-1], content):
            end_run()
        run.append(content)
    end_run()
    header = BatchHeader(
        robot=robot,
        boot_epoch=pending.epoch,
        first_sequence=pending.sequence(rows[0].number),
        last_sequence=pending.sequence(rows[-1].number),
        sent_t_utc=utc_now(),
        items=tuple(items),
    )
    return UplinkBatch(
        header=header, files=files, first_number=rows[0].number, last_number=rows[-1].number
    )


def _continues(before: RecordedStep, after: RecordedStep) -> bool:
    return (
        before.step.episode_id == after.step.episode_id
        and before.step.index + 1 == after.step.index
        and before.images.keys() == after.images.keys()  # a segment has a column per camera
    )


def sequences(header: BatchHeader) -> list[tuple[int, int]]:
    """First and last sequence number of each item."""
    found: list[tuple[int, int]] = []
    first = header.first_sequence
    for item in header.items:
        last = first + (item.count if isinstance(item, SegmentRef) else 1) - 1
        found.append((first, last))
        first = last + 1
    return found


def runs_of(
    batch: KeptBatch, wanted: Callable[[BatchItem, tuple[int, int]], bool]
) -> list[KeptBatch]:
    """Batches of those consecutive items of `batch` that are wanted, by item and sequences."""
    runs: list[list[tuple[BatchItem, tuple[int, int]]]] = [[]]
    for item, rows in zip(batch.header.items, sequences(batch.header), strict=True):
        if wanted(item, rows):
            runs[-1].append((item, rows))
        elif runs[-1]:
            runs.append([])
    return [_batch_of(batch, run) for run in runs if run]


def _batch_of(batch: KeptBatch, run: Sequence[tuple[BatchItem, tuple[int, int]]]) -> KeptBatch:
    items = tuple(item for item, _ in run)
    header = batch.header.model_copy(
        update={
            "first_sequence": run[0][1][0],
            "last_sequence": run[-1][1][1],
            "items": items,
            "sent_t_utc": utc_now(),
        }
    )
    parts = [item.part for item in items if isinstance(item, SegmentRef)]
    return KeptBatch(header=header, files={part: batch.files[part] for part in parts})
