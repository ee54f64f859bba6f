"""A task of the repository with short episodes, for rehearsals that need not succeed."""

from pathlib import Path

from robot_rl.config.document import CHECKOUT, read_toml
from robot_rl.rehearsal.derived_task import merged, write_task

MAX_STEPS = 45  # the experts need fewer


def short_task(folder: Path, name: str = "lift_cube") -> Path:
    """The task's file, written into that folder."""
    source = CHECKOUT / "tasks" / f"{name}.toml"
    file = folder / "tasks" / f"{name}.toml"
    write_task(file, merged(read_toml(source), {"max_steps": MAX_STEPS}), source)
    return file
