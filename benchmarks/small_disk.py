"""A small file system in memory that can be filled: the full disk of trials and tests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[str]:
    """Mounts it there, `size` as of tmpfs; yields why that is not possible, or nothing."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False, timeout=30)
        problem = made.stderr.strip() if made.returncode else ""
    except OSError as error:
        problem = str(error)
    try:
        yield problem
    finally:
        if not problem:
            subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


def fill(folder: Path) -> Path:
    """Another program takes all the room that is left; the file to delete for more."""
    rest = folder / "rest"
    with suppress(OSError), rest.open("wb", buffering=0) as file:
        for piece in (bytes(2**20), bytes(4096)):
            with suppress(OSError):
                while file.write(piece) == len(piece):
                    pass
    return rest
