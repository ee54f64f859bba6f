"""The stop latch on disk: a stopped robot stays stopped when control or the machine restarts."""

import json
import os
import queue
import sys
import threading
from pathlib import Path


def read_latch(path: Path) -> str | None:
    """Who stopped the robot, or None. A file that cannot be read counts as a stop."""
    try:
        content = json.loads(path.read_text())
        stopped_by = content["stopped_by"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return f"a latch file that cannot be read ({path.name})"
    return None if stopped_by is None else str(stopped_by)


def write_latch(path: Path, stopped_by: str | None) -> None:
    """Whole or not at all, and on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("w") as file:
        json.dump({"stopped_by": stopped_by}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class LatchWriter:
    """Writes in a thread of its own: a disk may take 24 ms, a control tick has 5."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted: queue.SimpleQueue[str | object | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="latch", daemon=True)
        self._thread.start()

    def put(self, stopped_by: str | None) -> None:
        """Write soon; never waits."""
        self._wanted.put(stopped_by)

    def close(self) -> None:
        """Wait until all is written."""
        self._wanted.put(_END)
        self._thread.join(2.0)

    def _run(self) -> None:
        while (stopped_by := self._wanted.get()) is not _END:
            try:
                write_latch(self._path, None if stopped_by is None else str(stopped_by))
            except OSError as error:
                print(
                    f"control: the stop latch cannot be written to {self._path}: {error}; the stop "
                    "holds, but would not survive a restart",
                    file=sys.stderr,
                    flush=True,
                )


_END = object()
