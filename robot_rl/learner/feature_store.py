"""Encoded segments on the disk, so that a learner that starts again encodes nothing twice.

A folder per backbone, crop, format and way of encoding; in it `segments.bin`, to which encoded
segments are appended and which is read through a memory map, and `index.bin`, which says where each
one is. A start after a crash finds every whole entry: an entry carries a checksum, and what is
damaged is encoded again.
"""

import hashlib
import json
import mmap
import shutil
import struct
import zlib
from io import FileIO
from pathlib import Path
from uuid import UUID

from safetensors import SafetensorError
from safetensors.numpy import load, save

from robot_rl.learner.columns import Trajectory
from robot_rl.learner.encoded import Encoded
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.weights import read_metadata

FORMAT = 1
"""Raised when a column, a crop or the encoding changes: older entries are then left alone."""
KEPT_BACKBONES = 2
"""Folders of so many backbones stay: the one before this one may come back."""
_ENTRY = struct.Struct("<32sQQI")  # key, offset, size, CRC-32
_META = "robot_rl.encoded"


class FeatureStore:
    """`get` and `put` by the key of a segment. One writer; used from one thread at a time."""

    def __init__(self, folder: Path, view: str, *, one_by_one: bool) -> None:
        """`view` and `one_by_one`: all that an encoding depends on beside the segment: backbone,
        cameras and crop, and whether each record went through the backbone by itself. Of records
        that went together the last bits may differ, and runs in lock-step have to be equal.
        """
        way = " one by one" if one_by_one else ""
        name = hashlib.sha256(f"{FORMAT} {view}{way}".encode()).hexdigest()[:16]
        self._folder = folder / name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.touch()
        _forget_old(folder)
        # Unbuffered: what a full disk refuses must not be written by a later call.
        self._data = (self._folder / "segments.bin").open("a+b", buffering=0)
        self._index = (self._folder / "index.bin").open("a+b", buffering=0)
        self._places = self._read_index()
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: bytes) -> Encoded | None:
        """None when it was never put, or is damaged."""
        place = self._places.get(key)
        if place is None:
            return None
        offset, size, checksum = place
        data = self._mapped(offset + size)[offset : offset + size]
        if zlib.crc32(data) != checksum:
            del self._places[key]
            return None
        return _decode(data)

    def put(self, key: bytes, encoded: Encoded) -> None:
        """Raises OSError, and the store is what it was."""
        data = _encode(encoded)
        place = (_append(self._data, data), len(data), zlib.crc32(data))
        _append(self._index, _ENTRY.pack(key, *place))
        self._places[key] = place

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None
        self._data.close()
        self._index.close()

    def _mapped(self, end: int) -> mmap.mmap:
        """The file from its beginning to `end` at least."""
        if self._map is None or len(self._map) < end:
            if self._map is not None:
                self._map.close()
            self._map = mmap.mmap(self._data.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def _read_index(self) -> dict[bytes, tuple[int, int, int]]:
        """Whole entries of what is on the disk; a torn one at the end is cut off."""
        self._index.seek(0)
        entries = self._index.read()
        whole = len(entries) // _ENTRY.size * _ENTRY.size
        self._index.truncate(whole)
        size_bytes = self._data.seek(0, 2)
        return {
            key: (offset, size, checksum)
            for key, offset, size, checksum in _ENTRY.iter_unpack(entries[:whole])
            if offset + size <= size_bytes
        }


def _append(file: FileIO, data: bytes) -> int:
    """Returns where it begins. Raises OSError, and nothing was added."""
    offset = file.seek(0, 2)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.truncate(offset)
        raise
    return offset


def segment_key(segment_sha256: str, instruction: str) -> bytes:
    """A segment as a policy sees it: with the words that it is told."""
    return hashlib.sha256(f"{segment_sha256} {instruction}".encode()).digest()


def _encode(encoded: Encoded) -> bytes:
    trajectory = encoded.trajectory
    meta = {
        "episode_id": str(trajectory.episode_id),
        "first_index": encoded.first_index,
        "interventions": [None if each is None else str(each) for each in encoded.interventions],
        "problems": encoded.problems,
    }
    return save(dict(trajectory.columns), {_META: json.dumps(meta)})


def _decode(data: bytes) -> Encoded | None:
    """None when it is not an entry of this format."""
    try:
        meta = json.loads(read_metadata(data, "an encoded segment")[_META])
        return Encoded(
            # An entry of before a column was kept has nothing in it.
            trajectory=Trajectory.made(load(data), UUID(meta["episode_id"])),
            first_index=meta["first_index"],
            interventions=tuple(
                None if each is None else UUID(each) for each in meta["interventions"]
            ),
            problems=tuple(meta["problems"]),
        )
    except (BadCheckpoint, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _forget_old(folder: Path) -> None:
    newest = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for old in newest[KEPT_BACKBONES:]:
        shutil.rmtree(old, ignore_errors=True)
