"""Whole files: written beside their place, put there in one step, and on the disk afterwards.

After a kill or a power cut a name holds either all of what it held before or all of the new. The
standard library only, so that every part of the system can use it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

PART = ".part"
"""How the name of a file ends while it is being written."""


def write(path: Path, data: bytes) -> None:
    """Raises OSError, and the file is what it was."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """What the block writes takes the file's place when the block ends well.

    Two writers of one name do not disturb each other: the last one to end counts. Raises OSError.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{PART}")
    try:
        with temporary.open("xb") as file:
            yield file
            sync(file)
        put(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def clear(path: Path) -> None:
    """Remove what writers of this name left beside it that were killed. None may be writing now."""
    for left in path.parent.glob(f".{path.name}.*{PART}"):
        left.unlink(missing_ok=True)


def sync(file: BinaryIO) -> None:
    """What was written to it is on the disk when this returns."""
    file.flush()
    os.fsync(file.fileno())


def put(temporary: Path, path: Path) -> None:
    """Rename a file that is on the disk already, so that the name outlasts a power cut too."""
    temporary.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """With its parents; a new folder's own name is on the disk when this returns."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """What was created, renamed or removed in it is on the disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
