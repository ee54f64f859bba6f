"""A power cut, as files: a copy of the outbox of which only a part had reached the disk."""

import shutil
from pathlib import Path

WAL = "-wal"
TORN_BYTES = 4096
"""What a sector holds that was being written, at most."""


def cut_copy(outbox: Path, folder: Path, kept_bytes: int, torn_bytes: int) -> Path:
    """The copy in `folder`, which is made: its write-ahead log ends after `kept_bytes`, and behind
    them is a torn sector of so many zeros.
    """
    folder.mkdir()
    copy = folder / outbox.name
    shutil.copy(outbox, copy)
    log = outbox.with_name(outbox.name + WAL).read_bytes()[:kept_bytes]
    copy.with_name(copy.name + WAL).write_bytes(log + bytes(torn_bytes))
    return copy


def log_bytes(outbox: Path) -> int:
    """How much of it there is now."""
    return outbox.with_name(outbox.name + WAL).stat().st_size
