"""Imported episodes, stored the way a robot's are: each whole and once."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import batched

from robot_rl.interchange.lerobot_import import Import, ImportedEpisode
from robot_rl.schema.ingest import BatchHeader, BatchItem, SegmentRef
from robot_rl.schema.message import utc_now
from robot_rl.schema.segment import RecordedStep, encode_segment
from robot_rl.server.blobs import BlobStore
from robot_rl.server.database import Database
from robot_rl.server.recording import read_cursor, store_batch

SEGMENT_STEPS = 32


def import_all(database: Database, blobs: BlobStore, wanted: Import) -> Iterator[bool]:
    """Stores an episode after the other; whether it was new. Raises BadDataset or BadVideo."""
    for number in range(len(wanted.dataset.episodes)):
        batch = wanted.batch_of(number)
        if read_cursor(database, wanted.robot, batch).last_sequence:
            yield False
            continue
        episode = wanted.read(number)
        items, files = _packed(episode)
        rows = 2 + len(episode.records) + len(episode.interventions)
        header = BatchHeader(
            robot=wanted.robot,
            boot_epoch=batch,
            first_sequence=1,
            last_sequence=rows,
            sent_t_utc=utc_now(),
            items=tuple(items),
        )
        store_batch(database, blobs, header, files)
        yield True


def _packed(episode: ImportedEpisode) -> tuple[Sequence[BatchItem], dict[str, bytes]]:
    items: list[BatchItem] = [episode.started]
    files: dict[str, bytes] = {}
    for records in batched(episode.records, SEGMENT_STEPS):
        items.append(_segment(records, f"segment{len(files)}", files))
    return [*items, *episode.interventions, episode.ended], files


def _segment(records: Sequence[RecordedStep], part: str, files: dict[str, bytes]) -> SegmentRef:
    data = files[part] = encode_segment(records)
    return SegmentRef(
        part=part,
        episode_id=records[0].step.episode_id,
        first_index=records[0].step.index,
        count=len(records),
        sha256=hashlib.sha256(data).hexdigest(),
    )
