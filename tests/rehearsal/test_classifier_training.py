"""Episodes that are labelled for a classifier: which, how many, and when they do not suffice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_rl.config.document import load_task
from robot_rl.errors import BadInput, PlainError
from robot_rl.learner.success_frames import check_episodes
from robot_rl.rehearsal import classifier_training
from robot_rl.rehearsal.crew import Trainee
from robot_rl.rehearsal.record import Record
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import new_id
from tests.rehearsal.test_review import line

WANTED = RehearsalSettings(cell="simulation", task="lift_cube", classifier_episodes=30, seed=3)


def test_episodes_come_by_turns_and_nobody_else_has_their_scenes() -> None:
    def plans(seed: int) -> list[tuple[Purpose, bool, int]]:
        seeds = np.random.SeedSequence([seed, classifier_training._SEEDS])
        robot = Trainee("panda", None, seeds)  # pyright: ignore[reportArgumentType]
        lessons = classifier_training._lessons(robot, 7)
        return [(each.plan.purpose, each.plan.helped, each.plan.seed) for each in lessons]

    found = plans(0)
    assert [each[:2] for each in found[:4]] == [
        (Purpose.DEMONSTRATION, True),
        (Purpose.TRAINING, True),
        (Purpose.TRAINING, False),
        (Purpose.DEMONSTRATION, True),
    ]
    assert len({seed for _, _, seed in found}) == len(found)
    assert plans(0) == found != plans(1)
    training = Trainee("panda", None, np.random.SeedSequence(0))  # pyright: ignore[reportArgumentType]
    assert not set(training.draw(Purpose.TRAINING, 100)) & {seed for _, _, seed in found}


@pytest.mark.parametrize(("step_s", "least"), [(0.1, 13), (0.05, 8)])
def test_how_many_are_too_few_is_said_before_anything_runs(step_s: float, least: int) -> None:
    task = load_task("lift_cube").model_copy(update={"step_s": step_s})
    check_episodes(least, task)
    with pytest.raises(BadInput, match=f"{least} episodes have to succeed.*{2 * least} or more"):
        check_episodes(least - 1, task)


def test_a_task_without_pictures_cannot_be_judged() -> None:
    blind = load_task("lift_cube").model_copy(update={"cameras": ()})
    with pytest.raises(BadInput, match="names none, and a classifier judges pictures"):
        check_episodes(30, blind)


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.FAILURE])
def test_labels_that_all_agree_teach_nothing(outcome: Outcome) -> None:
    record = Record(episodes=tuple(line(new_id(), outcome) for _ in range(14)))
    with pytest.raises(PlainError, match=f"all 14 episodes .* were labelled {outcome}"):
        classifier_training._checked(record)
    mixed = Record(episodes=(*record.episodes, line(new_id(), Outcome.SUCCESS)))
    if outcome is Outcome.FAILURE:
        assert classifier_training._checked(mixed) == 1


def test_what_the_training_says_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with pytest.raises(PlainError, match=r"was not trained: .* holds no database"):
        classifier_training._trained(WANTED, load_task("lift_cube"), tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (replace(WANTED, reward="operator"), "--reward operator names another: leave one"),
        (replace(WANTED, classifier=Path("a.json")), "--classifier names another: leave one"),
        (replace(WANTED, classifier_episodes=12), "13 episodes have to succeed"),
        (replace(WANTED, robots=2, kill=("learner",)), "--kill is for one robot"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(
    settings: RehearsalSettings, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(PlainError, match=sentence):
        rehearse(settings, tmp_path, quiet=True)
    assert not (tmp_path / "classifier" / "logs").exists()


def test_a_database_that_is_shared_would_mix_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://lab@db/robots")
    with pytest.raises(PlainError, match="DATABASE_URL names one database for both: unset it"):
        rehearse(WANTED, tmp_path, quiet=True)
