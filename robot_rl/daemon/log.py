"""The daemon's log: one JSON line per change of state, to stderr and to a file."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

_LARGEST_BYTES = 8 * 2**20  # then the file becomes `.1` and a new one begins


class Log:
    """Lines of one process. Several processes append to one file: a line is a single write."""

    def __init__(self, file: Path | None, process: str) -> None:
        self._file, self._process = file, process

    def say(self, sentence: str, **fields: str | int | float | None) -> None:
        """Log a change of state. A disk that fails costs the line in the file, nothing else."""
        line = {
            "t": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "process": self._process,
            "event": sentence,
            **fields,
        }
        text = json.dumps(line, ensure_ascii=False) + "\n"
        sys.stderr.write(text)
        sys.stderr.flush()
        if self._file is None:
            return
        try:
            self._append(self._file, text.encode())
        except OSError as error:
            sys.stderr.write(f"the log {self._file} cannot be written: {error}\n")
            self._file = None

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
