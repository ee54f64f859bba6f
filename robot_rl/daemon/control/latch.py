"""The latch on disk: a stop or a fault stays latched when control or the machine restarts."""

import json
import queue
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from robot_rl import durable_file
from safety.faults import FaultCode, sentence
from safety.modes import Latch


def read_latch(path: Path) -> Latch:
    """What is latched. A file that cannot be read counts as a stop."""
    try:
        content = json.loads(path.read_text())
        stopped_by, cause = content["stopped_by"], content.get("cause")
        fault = None if content.get("fault") is None else FaultCode(content["fault"])
    except FileNotFoundError:
        return Latch()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        unreadable = FaultCode.LATCH_UNREADABLE
        cause = sentence(unreadable, file=path.name)
        return Latch(stopped_by="control", cause=cause, fault=unreadable)
    return Latch(stopped_by=_text(stopped_by), cause=_text(cause), fault=fault)


def write_latch(path: Path, latch: Latch) -> None:
    """Whole or not at all, and on the disk when this returns."""
    durable_file.write(path, json.dumps(asdict(latch)).encode())


class LatchWriter:
    """Writes in a thread of its own: a disk may take 24 ms, a control tick has 5.

    `at_once` writes in the caller's thread instead: in lock-step time waits, so that what is on
    the disk does not depend on how fast it is.
    """

    def __init__(self, path: Path, *, at_once: bool = False) -> None:
        self._path = path
        self._at_once = at_once
        self._wanted: queue.SimpleQueue[Latch | None] = queue.SimpleQueue()  # None: the end
        self._thread = threading.Thread(target=self._run, name="latch", daemon=True)
        self._thread.start()

    def put(self, latch: Latch) -> None:
        """Write soon; without `at_once` it never waits."""
        if self._at_once:
            self._write(latch)
        else:
            self._wanted.put(latch)

    def close(self) -> None:
        """Wait until all is written."""
        self._wanted.put(None)
        self._thread.join(2.0)

    def _run(self) -> None:
        while (latch := self._wanted.get()) is not None:
            self._write(latch)

    def _write(self, latch: Latch) -> None:
        try:
            write_latch(self._path, latch)
        except OSError as error:
            print(
                f"control: the latch cannot be written to {self._path}: {error}; the stop or fault "
                "holds, but would not survive a restart",
                file=sys.stderr,
                flush=True,
            )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
