"""`[inference]` of a task file: what stands without it, and what is refused."""

from pathlib import Path

import pytest

from robot_rl.config.document import BadConfig
from tests.config.test_reward import task_with


def test_without_it_a_second_or_ten_steps_and_blended(tmp_path: Path) -> None:
    task = task_with(tmp_path, "")
    assert (task.observation_age_s, task.inference.blend, task.inference.answer_s) == (1, True, 10)
    slow = task.model_copy(update={"step_s": 0.3})
    assert slow.observation_age_s == pytest.approx(3.0)
    assert task_with(tmp_path, "[inference]\nobservation_age_s = 1.5").observation_age_s == 1.5


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("observation_age_s = 0.1", r"first action of an answer ends 0\.15 s .* at least 0\.15 s"),
        ("observation_age_s = 11", r"inference\.observation_age_s = 11"),
        ("answer_s = 0.5", r"inference\.answer_s = 0\.5"),
        ("observation_age_s = 5\nanswer_s = 2", r"answer may be 5 s old: give at least 5 s"),
        ("horizon = 3", r"horizon"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, section: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        task_with(tmp_path, f"[inference]\n{section}")
