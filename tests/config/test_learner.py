"""`[learner]`: the settings of the algorithm that the task file names."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from robot_rl.config import learner
from robot_rl.config.document import CHECKOUT, BadConfig, load_task
from robot_rl.config.learner import LearnerSection, known_algorithms
from robot_rl.config.task import Task


def task_with(folder: Path, section: str) -> Task:
    text = (CHECKOUT / "tasks" / "lift_cube.toml").read_text().split("[learner]")[0]
    path = folder / "task.toml"
    path.write_text(f"{text}\n[learner]\n{section}\n")
    return load_task(str(path))


def test_what_is_not_named_is_hil_serl(tmp_path: Path) -> None:
    section = task_with(tmp_path, "discount = 0.98\nwidth = 64").learner
    assert section == known_algorithms()["hil_serl"].model_validate({"discount": 0.98, "width": 64})
    assert load_task("lift_cube").learner.algorithm == "hil_serl"


def test_settings_survive_a_dump(tmp_path: Path) -> None:
    task = task_with(tmp_path, "discount = 0.98")
    assert task.model_dump()["learner"]["discount"] == 0.98
    assert Task.model_validate(task.model_dump()) == task


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('algorithm = "magic"', r"learner: algorithm = 'magic' is not known; choose .*hil_serl"),
        ("discuont = 0.9", r"learner\.discuont is not a known key"),
        ("discount = 1.5", r"learner\.discount = 1\.5: input should be less than 1"),
        ("batch = 1", r"learner\.batch = 1: input should be greater"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, section: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        task_with(tmp_path, section)


class OtherSettings(LearnerSection):
    implementation: ClassVar[str] = "elsewhere:Other"
    algorithm: str = "other"
    boldness: float = 0.5


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that is installed beside robot-rl."""
    entry = importlib.metadata.EntryPoint("other", f"{__name__}:OtherSettings", learner.GROUP)
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda _self: OtherSettings)
    monkeypatch.setattr(learner, "entry_points", lambda group: [entry])
    known_algorithms.cache_clear()
    yield
    known_algorithms.cache_clear()


@pytest.mark.usefixtures("offered")
def test_an_installed_package_offers_an_algorithm(tmp_path: Path) -> None:
    section = task_with(tmp_path, 'algorithm = "other"\nboldness = 0.7').learner
    assert section == OtherSettings(boldness=0.7)
