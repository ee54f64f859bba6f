"""The folder of shared memory that one daemon owns, and what daemons that were killed left behind.

Whoever holds the lock on a folder's file `owner.lock` owns it. The kernel gives the lock back when
its process ends, however it ends, and shows it to everybody who sees the folder: also to another
container with the same /dev/shm, in which process ids mean something else. The process id in the
name is for people's eyes only.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
_PREFIX = "robot-rl-"
_OWNER = "owner.lock"


def new_memory_folder() -> Path:
    """A name no other daemon has; the supervisor makes the folder and removes it at the end."""
    return SHARED_MEMORY / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"


def take(folder: Path) -> int:
    """Make the folder, owned by this process. Raises OSError.

    Returns the lock, released by `os.close`.
    """
    # Locked before it has its name: nobody ever finds it without an owner.
    unnamed = folder.with_name(f".{folder.name}")
    unnamed.mkdir(mode=0o700, parents=True)
    lock = os.open(unnamed / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(folder)
    return lock


def leftovers() -> list[Path]:
    """Folders whose owner has ended without removing them."""
    found: list[Path] = []
    for folder in SHARED_MEMORY.glob(f"{_PREFIX}*"):
        with _unowned(folder) as left:
            if left:
                found.append(folder)
    return found


def remove_leftovers() -> None:
    """Give back the memory of daemons that were killed. Those that run keep theirs."""
    for folder in SHARED_MEMORY.glob(f"{_PREFIX}*"):
        with _unowned(folder) as left:
            if left:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _unowned(folder: Path) -> Iterator[bool]:
    """Whether nobody owns the folder; if so it is ours for the moment."""
    try:
        lock = os.open(folder / _OWNER, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield False  # another user's, or not a daemon's: not ours to judge
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)
