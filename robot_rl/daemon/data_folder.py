"""The folder that survives restarts: one daemon holds it, and it must have room to record."""

import fcntl
import os
import tempfile
from pathlib import Path

from robot_rl.errors import PlainError

MIN_FREE_BYTES = 256 * 2**20
"""Below this no new episode is started: the running one must still fit."""


class DataFolderUnusable(PlainError):
    """It is taken, full or read-only; one plain sentence."""


def take(folder: Path, min_free_bytes: int = MIN_FREE_BYTES) -> int:
    """Lock the folder for this daemon: two writers would mix two recordings.

    Returns the lock, released by `os.close`. Raises DataFolderUnusable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_room(folder, min_free_bytes)
    except BlockingIOError as error:
        os.close(lock)
        raise DataFolderUnusable(
            f"another daemon uses the data folder {folder}: stop it, or give another folder"
        ) from error
    except OSError as error:
        os.close(lock)
        raise _unusable(folder, error) from error
    except DataFolderUnusable:
        os.close(lock)
        raise
    return lock


def free_bytes(folder: Path) -> int:
    """What this user may still write there."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


def _check_room(folder: Path, min_free_bytes: int) -> None:
    """A file is written, as a quota or a broken disk shows in no count of free bytes."""
    free = free_bytes(folder)
    if free < min_free_bytes:
        raise DataFolderUnusable(
            f"the data folder {folder} has {free // 2**20} MiB left and at least "
            f"{min_free_bytes // 2**20} MiB are needed, or no episode could be kept: "
            "free some space, or give another folder"
        )
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(4096))
        probe.flush()
        os.fsync(probe.fileno())


def _unusable(folder: Path, error: OSError) -> DataFolderUnusable:
    return DataFolderUnusable(
        f"the data folder {folder} cannot be used ({error.strerror}): make it writable with room "
        "to spare, or give another folder"
    )
