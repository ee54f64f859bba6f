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
from contextlib import contextmanager, suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
_PREFIX = "robot-rl-"
_OWNER = "owner.lock"


def new_memory_folder() -> Path:
    """A name no other daemon has; the supervisor makes the folder and removes it at the end."""
    return SHARED_MEMORY / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"


def folders_of(process: int) -> list[Path]:
    """Folders that this process has made: for who looks into a running daemon, as benchmarks do."""
    return sorted(SHARED_MEMORY.glob(f"{_PREFIX}{process}-*"))


def take(folder: Path) -> int:
    """Make the folder, owned by this process. Raises OSError.

    Returns the lock, released by `os.close`.
    """
    # Locked before it has its name: nobody ever finds it without an owner.
    unnamed = folder.with_name(f".{folder.name}")
    while (lock := _locked(unnamed)) is None:
        pass  # a daemon that starts as well took it for a leftover, before it was locked
    unnamed.rename(folder)
    return lock


def _locked(unnamed: Path) -> int | None:
    """Make the folder and lock it; None when it was removed in between."""
    unnamed.mkdir(mode=0o700, parents=True)
    try:
        lock = os.open(unnamed / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    fcntl.flock(lock, fcntl.LOCK_EX)
    if os.fstat(lock).st_nlink == 0:
        os.close(lock)
        return None
    return lock


def leftovers() -> list[Path]:
    """Folders whose owner has ended without removing them."""
    found = [folder for folder in _unnamed() if _empty(folder)]
    for folder in _all():
        with _unowned(folder) as left:
            if left:
                found.append(folder)
    return found


def remove_leftovers() -> None:
    """Give back the memory of daemons that were killed. Those that run keep theirs."""
    for folder in _all():
        with _unowned(folder) as left:
            if left:
                shutil.rmtree(folder, ignore_errors=True)
    for folder in _unnamed():
        with suppress(OSError):
            folder.rmdir()  # only an empty one: its daemon died before it locked it


def _all() -> Iterator[Path]:
    yield from SHARED_MEMORY.glob(f"{_PREFIX}*")
    yield from _unnamed()


def _unnamed() -> Iterator[Path]:
    """Of daemons that are beginning, or were killed while they began."""
    yield from SHARED_MEMORY.glob(f".{_PREFIX}*")


def _empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError:
        return False  # another user's, or gone


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
