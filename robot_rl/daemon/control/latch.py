"""The latch on disk: a stop or a fault stays latched when control or the machine restarts."""

import json
from dataclasses import asdict
from pathlib import Path

from robot_rl import durable_file
from robot_rl.daemon.control.background import BackgroundWriter, file_writer
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


def latch_writer(path: Path, *, at_once: bool = False) -> BackgroundWriter[Latch]:
    """Writes it soon, or at once."""
    return file_writer(
        path, write_latch, what="the latch", holds="the stop or fault holds", at_once=at_once
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
