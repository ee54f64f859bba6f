"""A task file that lies somewhere else still finds what its own names from its place."""

from pathlib import Path

from robot_rl.config.document import load_task, read_toml
from robot_rl.rehearsal.derived_task import merged, write_task


def test_folders_are_found_from_the_other_place(tmp_path: Path) -> None:
    source = load_task("lift_cube").path
    home = tmp_path / "tasks"
    (home / "cube_success").mkdir(parents=True)
    (home / "lift_cube").mkdir()
    chosen = {"folder": "cube_success", "sha256": "0" * 12}
    content = merged(read_toml(source), {"reward": {"classifier": chosen, "source": "classifier"}})
    write_task(tmp_path / "elsewhere" / "task.toml", content, home / "lift_cube.toml")
    task = load_task(str(tmp_path / "elsewhere" / "task.toml"))
    assert task.policy.folder == str(home / "lift_cube")
    assert task.reward.classifier is not None
    assert task.reward.classifier.folder == str(home / "cube_success")
    assert task.reward.source == "classifier"
