"""Writing small files out of the control loop."""

import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Value[T]:
    value: T


class BackgroundWriter[T]:
    """Writes in a thread of its own: a disk may take 24 ms, a control tick has 5.

    `at_once` writes in the caller's thread instead: in lock-step time waits, so that what is on
    the disk does not depend on how fast it is. `write` deals with a disk that refuses.
    """

    def __init__(self, write: Callable[[T], None], *, name: str, at_once: bool = False) -> None:
        self._write = write
        self._at_once = at_once
        self._wanted: queue.SimpleQueue[_Value[T] | None] = queue.SimpleQueue()  # None: the end
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, value: T) -> None:
        """Write soon; without `at_once` it never waits."""
        if self._at_once:
            self._write(value)
        else:
            self._wanted.put(_Value(value))

    def close(self) -> None:
        """Wait until all is written."""
        self._wanted.put(None)
        self._thread.join(2.0)

    def _run(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            self._write(wanted.value)


def file_writer[T](
    path: Path,
    write: Callable[[Path, T], None],
    *,
    what: str,
    holds: str,
    at_once: bool = False,
) -> BackgroundWriter[T]:
    """Of one file that outlives control. Where the disk refuses, that is said, and what was to be
    kept holds all the same: `what` it is, and what `holds`.
    """

    def keep(value: T) -> None:
        try:
            write(path, value)
        except OSError as error:
            print(
                f"control: {what} cannot be written to {path}: {error}; {holds}, but would not "
                "survive a restart",
                file=sys.stderr,
                flush=True,
            )

    return BackgroundWriter(keep, name=path.stem, at_once=at_once)
