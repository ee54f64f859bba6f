"""What `doctor` says of the success classifier that a task file names."""

import json
from pathlib import Path

import pytest

from robot_rl.commands import checkup, preflight
from robot_rl.commands.finding import Finding
from robot_rl.config.document import load_task
from robot_rl.config.reward import ClassifierChoice, Reward
from robot_rl.config.task import Task
from robot_rl.errors import PlainError
from robot_rl.policy.success_manifest import SuccessManifest
from robot_rl.schema.transition import RewardSource
from tests.policy.tiny_success import store_constant


def naming(folder: Path, manifest: SuccessManifest, source: RewardSource = "classifier") -> Task:
    choice = ClassifierChoice(folder=str(folder), sha256=manifest.file.sha256[:12])
    reward = Reward(source=source, classifier=choice)
    return load_task("lift_cube").model_copy(update={"reward": reward})


def said(task: Task) -> Finding:
    (finding,) = checkup.success_classifier(task)
    assert finding.name == "success classifier"
    assert bool(finding.mend) == (finding.state != "ok")
    return finding


def refused(task: Task) -> str:
    """A problem, with the file to correct; what starts a robot refuses it as well."""
    finding = said(task)
    assert finding.state == "problem"
    assert "[reward.classifier]" in finding.mend
    assert str(task.path) in finding.mend
    with pytest.raises(PlainError):
        preflight.success_classifier(task)
    return finding.text


def test_one_that_fits(tmp_path: Path) -> None:
    manifest = store_constant(tmp_path, 0.9)
    finding = said(naming(tmp_path, manifest))
    assert finding.state == "ok"
    assert finding.text == (
        f"{manifest.file.sha256[:12]} loads and judges front, wrist: success at 0.50 over 2 "
        "steps; its word counts"
    )
    assert said(naming(tmp_path, manifest, "operator")).text.endswith("evidence only")


def test_a_task_that_names_none() -> None:
    finding = said(load_task("lift_cube"))
    assert finding.state == "ok"
    assert "lift_cube names none" in finding.text


def test_one_that_is_not_there(tmp_path: Path) -> None:
    task = naming(tmp_path, store_constant(tmp_path, 0.9))
    for file in tmp_path.iterdir():
        file.unlink()
    assert "there is no success classifier" in refused(task)


def test_one_for_a_camera_that_the_task_lacks(tmp_path: Path) -> None:
    manifest = store_constant(tmp_path, 0.9, cameras=("front", "side"))
    assert "needs the camera side, and the task lift_cube has front, wrist" in refused(
        naming(tmp_path, manifest)
    )


def test_one_of_another_task(tmp_path: Path) -> None:
    manifest = store_constant(tmp_path, 0.9, task="insert_peg")
    assert "was trained for the task insert_peg" in refused(naming(tmp_path, manifest))


def test_one_that_is_damaged(tmp_path: Path) -> None:
    manifest = store_constant(tmp_path, 0.9)
    weights = tmp_path / manifest.file.name
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert "was changed or damaged" in refused(naming(tmp_path, manifest))


def test_one_whose_weights_are_of_another_network(tmp_path: Path) -> None:
    """Whole, and nothing but loading it tells."""
    manifest = store_constant(tmp_path, 0.9)
    file = tmp_path / f"{manifest.file.sha256[:12]}.json"
    described = json.loads(file.read_text())
    described["settings"]["width"] = 32
    file.write_text(json.dumps(described))
    finding = said(naming(tmp_path, manifest))
    assert finding.state == "problem"
    assert "its tensors do not fit" in finding.text
