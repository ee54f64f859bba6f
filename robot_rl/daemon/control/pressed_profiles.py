"""Limit profiles that a button switched on, on disk: a restart must not loosen anything."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from robot_rl import durable_file
from robot_rl.daemon.control.background import BackgroundWriter, file_writer

UNREADABLE = "control"
"""Who switched profiles on when nobody knows any more which ones were."""


def read_pressed(path: Path, profiles: Iterable[str]) -> dict[str, str]:
    """Profile → who switched it on. A file that cannot be read counts as all of them."""
    try:
        content = cast(object, json.loads(path.read_text()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        return dict.fromkeys(profiles, UNREADABLE)
    return {str(name): str(by) for name, by in cast(dict[object, object], content).items()}


def write_pressed(path: Path, pressed: Mapping[str, str]) -> None:
    """Whole or not at all, and on the disk when this returns."""
    durable_file.write(path, json.dumps(dict(pressed)).encode())


def pressed_writer(path: Path, *, at_once: bool = False) -> BackgroundWriter[Mapping[str, str]]:
    """Writes them soon, or at once."""
    return file_writer(
        path, write_pressed, what="the list of limit profiles", holds="they hold", at_once=at_once
    )
