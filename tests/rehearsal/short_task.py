"""lift_cube with short episodes, for rehearsals that need not succeed."""

from pathlib import Path

from robot_rl.config.document import CHECKOUT, read_toml
from robot_rl.rehearsal.derived_task import merged, write_task

MAX_STEPS = 45  # the expert needs fewer


def short_task(folder: Path) -> Path:
    """The task's file, written into that folder."""
    source = CHECKOUT / "tasks" / "lift_cube.toml"
    file = folder / "tasks" / "lift_cube.toml"
    write_task(file, merged(read_toml(source), {"max_steps": MAX_STEPS}), source)
    return file
