"""What is asked of a machine before anything starts, and what is not."""

from pathlib import Path

import pytest

from robot_rl.commands import preflight
from robot_rl.config.document import CHECKOUT, load_task
from robot_rl.errors import PlainError
from robot_rl.policy.starting import write_untrained


def files(folder: Path, *, cameras: bool) -> tuple[str, str]:
    """A simulated cell and a task, with or without cameras, and an untrained policy."""
    cell = (CHECKOUT / "cells" / "simulation.toml").read_text()
    task = (CHECKOUT / "tasks" / "lift_cube.toml").read_text()
    task = task.replace('folder = "lift_cube"', 'folder = "policy"')
    if not cameras:
        cell = cell[: cell.index("[cameras.front]")]
        task = task.replace('cameras = ["front", "wrist"]', "cameras = []")
    (folder / "cell.toml").write_text(cell)
    (folder / "task.toml").write_text(task)
    write_untrained(folder / "policy", load_task(str(folder / "task.toml")), seed=0)
    return str(folder / "cell.toml"), str(folder / "task.toml")


def test_only_a_cell_with_drawn_cameras_needs_a_machine_that_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "probe_graphics", lambda: (False, "no driver"))
    blind, seeing = tmp_path / "blind", tmp_path / "seeing"
    blind.mkdir()
    seeing.mkdir()
    preflight.ready(*files(blind, cameras=False))
    with pytest.raises(PlainError, match=r"cannot draw on this machine \(no driver\)"):
        preflight.ready(*files(seeing, cameras=True))
