"""The folder that survives restarts: one daemon holds it, and it must have room to record."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from robot_rl.errors import PlainError

MIN_FREE_BYTES = 256 * 2**20
"""Below this no new episode is started: the running one must still fit."""


class DataFolderUnusable(PlainError):
    """It is taken, full or read-only; one plain sentence."""


def take(folder: Path) -> int:
    """Lock the folder for this daemon: two writers would mix two recordings.

    Returns the lock, released by `os.close`. Raises DataFolderUnusable. A nearly full disk is no
    reason: what was recorded is still to be sent, which makes room; the outbox says so.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _probe(folder)
    except BlockingIOError as error:
        os.close(lock)
        raise DataFolderUnusable(
            f"another daemon uses the data folder {folder}: stop it, or give another folder"
        ) from error
    except OSError as error:
        os.close(lock)
        raise _unusable(folder, error) from error
    return lock


def free_bytes(folder: Path) -> int:
    """What this user may still write there."""
    return shutil.disk_usage(folder).free


def _probe(folder: Path) -> None:
    """A file is written, as a quota or a broken disk shows in no count of free bytes."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(4096))
        probe.flush()
        os.fsync(probe.fileno())


def _unusable(folder: Path, error: OSError) -> DataFolderUnusable:
    return DataFolderUnusable(
        f"the data folder {folder} cannot be used ({error.strerror}): make it writable with room "
        "to spare, or give another folder"
    )
