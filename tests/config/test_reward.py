"""`[reward]` with a success classifier: what a task file must say, and what is refused."""

from pathlib import Path

import pytest

from robot_rl.config.document import CHECKOUT, BadConfig, load_task
from robot_rl.config.task import Task

CHOICE = '[reward.classifier]\nfolder = "cube_success"\nsha256 = "0123456789ab"\n'


def task_with(folder: Path, section: str, name: str = "lift_cube") -> Task:
    text = (CHECKOUT / "tasks" / f"{name}.toml").read_text()
    path = folder / "task.toml"
    path.write_text(f"{text}\n{section}\n")
    return load_task(str(path))


def test_a_classifier_is_evidence_unless_it_is_the_source(tmp_path: Path) -> None:
    reward = task_with(tmp_path, CHOICE).reward
    assert reward.source == "simulator"
    assert reward.classifier is not None
    assert (reward.classifier.threshold, reward.classifier.consecutive) == (None, 2)
    reward = task_with(tmp_path, f'[reward]\nsource = "classifier"\n{CHOICE}').reward
    assert reward.source == "classifier"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('[reward]\nsource = "classifier"\n', r"there is no \[reward.classifier\] with its folder"),
        (CHOICE + "threshold = 1.2", r"reward\.classifier\.threshold = 1\.2: input should be less"),
        (CHOICE + "consecutive = 0", r"reward\.classifier\.consecutive = 0: input should be gre"),
        (CHOICE.replace("012", "xyz"), r"reward\.classifier\.sha256 = 'xyz3456789ab'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, section: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        task_with(tmp_path, section)


def test_without_cameras_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"judges pictures, and cameras names none"):
        task_with(tmp_path, CHOICE, "gym_pick_cube")
