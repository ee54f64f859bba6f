"""A task file that differs from another one in some of its keys, and lies somewhere else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_rl import durable_file
from robot_rl.rehearsal.toml_text import toml_text


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; anything else takes the place of what was there."""
    found = dict(base)
    for key, value in changes.items():
        there = found.get(key)
        if isinstance(there, Mapping) and isinstance(value, Mapping):
            value = merged(there, value)
        found[key] = value
    return found


def write_task(file: Path, content: Mapping[str, Any], source: Path) -> None:
    """`content` as a task file; `source`: the file that it comes from. Raises OSError."""
    text = toml_text(_beside(content, source.parent))
    durable_file.write(file, text.encode())


def _beside(task: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """With the starting policy and the success classifier where they lie: they are named from the
    place of the task file.
    """
    found = dict(task)
    for path in (("policy",), ("reward", "classifier")):
        section: Any = task
        for name in path:
            section = section.get(name, {})
        named = section.get("folder")
        # Else a name on the hub; what is wrong with others the reader says.
        if isinstance(named, str) and (folder / named).is_dir():
            where: dict[str, Any] = {"folder": os.fspath((folder / named).resolve())}
            for name in reversed(path):
                where = {name: where}
            found = merged(found, where)
    return found
