"""The success classifier: which frames it learns from, that it learns, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_rl.config.document import load_task
from robot_rl.config.reward import ClassifierChoice, Reward
from robot_rl.config.task import Task
from robot_rl.evaluation.success_figures import NO_SUCCESS, SUCCESS, UNKNOWN
from robot_rl.learner.labelled_frames import (
    LabelledEpisode,
    SaidOfEpisode,
    frame_labels,
    labelled_episode,
)
from robot_rl.learner.success_training import (
    NotEnoughFrames,
    SuccessTraining,
    check_enough,
    split,
    train_classifier,
)
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.success_classifier import load_classifier
from robot_rl.policy.success_manifest import SuccessSettings, read_classifier
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep, decode_segment
from robot_rl.schema.step import RewardEvidence
from tests.learner.lab import Lab, record_episode

SHAPE = SuccessSettings(cameras=("front", "wrist"), image_px=64, channels=8, width=16)
QUICK = SuccessTraining(seed=3, updates=60, batch=24, shift_px=1)


def recorded(steps: int) -> list[RecordedStep]:
    lab = Lab()
    record_episode(lab, load_task("lift_cube"), 0, steps=steps)
    return [record for data in lab.segments.values() for record in decode_segment(data)]


def said(outcome: Outcome | None, **marks: bool) -> SaidOfEpisode:
    given = {int(name.removeprefix("at")): value for name, value in marks.items()}
    return SaidOfEpisode(episode_id=new_id(), outcome=outcome, step_s=0.1, marks=given)


def test_the_end_of_a_success_shows_it_and_what_came_just_before_is_unknown() -> None:
    steps = [record.step for record in recorded(14)]
    labels = frame_labels(steps, said(Outcome.SUCCESS)).tolist()
    assert labels == [NO_SUCCESS] * 5 + [UNKNOWN] * 6 + [SUCCESS] * 4


def test_where_the_simulator_judged_it_knows_every_frame() -> None:
    steps = [record.step for record in recorded(4)]
    done = RewardEvidence(simulator_success=True)
    steps[-1] = steps[-1].model_copy(update={"evidence": done})
    labels = frame_labels(steps, said(Outcome.SUCCESS)).tolist()
    assert labels == [NO_SUCCESS] * 4 + [SUCCESS]
    assert frame_labels(steps, said(Outcome.FAILURE)).tolist() == [NO_SUCCESS] * 5, (
        "a person's word outweighs the evidence"
    )


def test_a_persons_mark_outweighs_everything() -> None:
    steps = [record.step for record in recorded(4)]
    labels = frame_labels(steps, said(Outcome.FAILURE, at2=True)).tolist()
    assert labels == [NO_SUCCESS, NO_SUCCESS, SUCCESS, NO_SUCCESS, NO_SUCCESS]
    labels = frame_labels(steps, said(None, at1=False, at9=True)).tolist()
    assert labels == [UNKNOWN, NO_SUCCESS, UNKNOWN, UNKNOWN, UNKNOWN]


def test_frames_that_no_camera_saw_are_left_out() -> None:
    records = recorded(14)
    records[3] = RecordedStep(step=records[3].step, images={})
    episode = labelled_episode(records, said(Outcome.SUCCESS), SHAPE)
    assert episode is not None
    assert len(episode.label) == 14
    assert [camera.shape for camera in episode.images] == [(14, 64, 64, 3)] * 2
    assert labelled_episode(records, said(Outcome.ABORTED), SHAPE) is None


def pictured(rng: np.random.Generator, *, success: bool) -> LabelledEpisode:
    """In the second half of a success a white square stands in the first camera's picture."""
    label = np.array([NO_SUCCESS] * 10 + [SUCCESS if success else NO_SUCCESS] * 10, np.int8)
    images = [rng.integers(40, 120, (20, 64, 64, 3), dtype=np.uint8) for _ in range(2)]
    images[0][label == SUCCESS, 20:40, 20:40] = 250
    return LabelledEpisode(episode_id=new_id(), success=success, label=label, images=images)


def episodes(successes: int, failures: int, seed: int = 0) -> list[LabelledEpisode]:
    rng = np.random.default_rng(seed)
    kinds = [True] * successes + [False] * failures
    return [pictured(rng, success=kind) for kind in kinds]


def with_classifier(folder: Path, sha256: str, **changes: object) -> Task:
    task = load_task("lift_cube")
    choice = ClassifierChoice(folder=str(folder), sha256=sha256)
    reward = Reward(classifier=choice.model_copy(update=changes))
    return task.model_copy(update={"reward": reward})


def test_it_learns_is_measured_and_judges_as_it_was_stored(tmp_path: Path) -> None:
    task = load_task("lift_cube")
    manifest = train_classifier(episodes(10, 4), task, tmp_path, SHAPE, QUICK)
    held_out = manifest.held_out
    assert (held_out.episodes, held_out.successes) == (4, 3), "three of ten, and one of four"
    assert held_out.auroc is not None
    assert held_out.auroc > 0.95, held_out
    chosen = with_classifier(tmp_path, manifest.file.sha256[:12])
    classifier = load_classifier(chosen)
    assert classifier is not None
    assert (classifier.threshold, classifier.consecutive) == (0.85, 2)
    (unseen,) = episodes(1, 0, seed=9)
    probability = [
        classifier.probability({"front": unseen.images[0][at], "wrist": unseen.images[1][at]})
        for at in (0, 19)
    ]
    assert probability[0] < 0.5 < probability[1]
    again = train_classifier(episodes(10, 4), task, tmp_path / "again", SHAPE, QUICK)
    assert again.held_out.auroc == pytest.approx(held_out.auroc, abs=0.02)
    stricter = load_classifier(with_classifier(tmp_path, manifest.file.sha256, threshold=0.5))
    assert stricter is not None
    assert stricter.threshold == 0.5


def test_another_task_another_hash_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    manifest = train_classifier(
        episodes(5, 4), load_task("lift_cube"), tmp_path, SHAPE, replace(QUICK, updates=2)
    )
    sha256 = manifest.file.sha256
    with pytest.raises(BadCheckpoint, match=f"which holds {sha256[:12]}: name one of these"):
        read_classifier(tmp_path, "0" * 12)
    other = load_task("insert_peg").model_copy(
        update={"reward": with_classifier(tmp_path, sha256).reward}
    )
    with pytest.raises(BadCheckpoint, match="was trained for the task lift_cube"):
        load_classifier(other)
    weights = tmp_path / manifest.file.name
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(BadCheckpoint, match="was changed or damaged"):
        load_classifier(with_classifier(tmp_path, sha256))


def test_too_little_is_refused_in_words() -> None:
    with pytest.raises(NotEnoughFrames, match=r"30 frames of success from 3 episodes .* 70 of non"):
        check_enough(episodes(3, 2), load_task("lift_cube"))


def test_episodes_are_split_and_never_their_frames() -> None:
    given = episodes(10, 4)
    training, held_out = split(given, 0.3, np.random.default_rng(1))
    names = {each.episode_id for each in training}, {each.episode_id for each in held_out}
    assert not names[0] & names[1]
    assert names[0] | names[1] == {each.episode_id for each in given}
    assert sum(each.success for each in held_out) == 3
