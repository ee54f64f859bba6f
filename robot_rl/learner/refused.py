"""Heads that were not fit to act: the newest few stay on the learner's disk, with the reasons."""

import json
from pathlib import Path

from robot_rl import durable_file

KEPT = 5


def keep_refused(folder: Path, update: int, head: bytes, reason: str) -> Path:
    """Write the head and its reason; what is older than the newest few goes. Raises OSError."""
    path = folder / f"update-{update:09d}.safetensors"
    durable_file.write(path, head)
    about = {"update": update, "reason": reason}
    durable_file.write(path.with_suffix(".json"), json.dumps(about, indent=1).encode())
    for old in sorted(folder.glob("update-*.safetensors"))[:-KEPT]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()
    return path
