"""The daemon's log: one JSON line per change of state, to stderr and to a file."""

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_LARGEST_BYTES = 8 * 2**20  # then the file becomes `.1` and a new one begins


class Log:
    """Lines of one process. Several processes append to one file: a line is a single write."""

    def __init__(self, file: Path | None, process: str) -> None:
        self._file, self._process = file, process
        self._refused = False

    def say(self, sentence: str, **fields: str | int | float | None) -> None:
        """Log a change of state. A disk that fails costs the line in the file, nothing else."""
        line = {
            "t": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "process": self._process,
            "event": sentence,
            **fields,
        }
        text = json.dumps(line, ensure_ascii=False) + "\n"
        _show(text)
        if self._file is None:
            return
        try:
            self._append(self._file, text.encode())
            self._refused = False
        except OSError as error:
            if not self._refused:
                _show(f"the log {self._file} cannot be written: {error}\n")
            self._refused = True

    def _append(self, file: Path, line: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, line)
            large = os.fstat(descriptor).st_size > _LARGEST_BYTES
        finally:
            os.close(descriptor)
        if large:
            file.replace(file.with_name(file.name + ".1"))


def _show(text: str) -> None:
    """stderr may be a file on the very disk that is full, or a terminal that was closed."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
