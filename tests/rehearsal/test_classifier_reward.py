"""With the classifier's word as the reward, what the simulator knows reaches no step, no policy and
no learner; neither does it while a person labels what the classifier learns from.

The classifier of the first test never sees a success. Whoever hears of one heard it from the
simulator, and in a demonstration by the expert the simulator does see the task done.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rl.config.document import load_task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.feature_store import FeatureStore, segment_key
from robot_rl.learner.learner import FEATURES
from robot_rl.policy.folder import read_manifest, sha256_of
from robot_rl.rehearsal.classifier_training import FOLDER
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.segment import decode_segment
from robot_rl.schema.step import Step
from tests.policy.tiny_success import store_constant
from tests.rehearsal.short_task import MAX_STEPS, short_task
from tests.rehearsal.test_two_robots import ARROW

NEVER = 0.01  # its probability of success
EPISODES = 20  # of which two thirds succeed, and 13 have to


def segments_of(data: Path) -> list[bytes]:
    """Everything that a server holds."""
    files = [path.read_bytes() for path in (data / "blobs").rglob("*") if path.is_file()]
    return [content for content in files if content.startswith(ARROW)]


def check_silent(segments: list[bytes]) -> list[Step]:
    """That the simulator says nothing in any step, of success or of where things are."""
    steps = [record.step for segment in segments for record in decode_segment(segment)]
    assert {step.evidence.simulator_success for step in steps} == {None}
    arms = [arm for step in steps for arm in step.arms.values()]
    assert all(not arm.sensors for arm in arms), "the policy sees the arm and the pictures alone"
    return steps


def learned(data: Path, task: Path, segments: list[bytes]) -> Iterator[Trajectory]:
    """What the learner made of those segments that it read, and trained on."""
    known = load_task(os.fspath(task))
    manifest = read_manifest((known.path.parent / known.policy.folder).resolve())
    folder = data / "learner" / known.name / FEATURES
    store = FeatureStore(folder, manifest.backbone.model_dump_json(), one_by_one=True)
    for segment in segments:
        encoded = store.get(segment_key(sha256_of(segment), known.instruction))
        if encoded is not None:
            yield encoded.trajectory
    store.close()


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(300)
def test_the_simulators_truth_reaches_no_step_no_policy_and_no_learner() -> None:
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        data = Path(folder)
        task = short_task(data)
        manifest = store_constant(data / "success", NEVER)
        settings = RehearsalSettings(
            cell="simulation",
            task=os.fspath(task),
            demonstrations=1,
            episodes=0,
            evaluations=0,
            reward="classifier",
            classifier=data / "success" / f"{manifest.file.sha256[:12]}.json",
            seed=3,
        )
        report = rehearse(settings, data, quiet=True)
        segments = segments_of(data)
        taught = list(learned(data, task, segments))
    assert report.problems() == []
    (shown,) = report.timeline
    assert report.classifier is not None
    assert report.classifier.labels.missed == 1, (
        "the simulator did see it done, and told the person"
    )

    steps = check_silent(segments)
    said = [step.evidence.classifier_probability for step in steps]
    assert said == pytest.approx([NEVER] * len(steps), rel=1e-4)
    assert (shown.purpose, shown.steps) == (Purpose.DEMONSTRATION, MAX_STEPS), "nobody ended it"
    assert shown.outcome is Outcome.FAILURE
    assert not any(step.terminated for step in steps)

    assert report.steps_available == report.steps_trainable == MAX_STEPS
    assert sum(len(each) for each in taught) == len(steps) == MAX_STEPS + 1
    assert not any(each["success"].any() or each["terminated"].any() for each in taught)
    assert report.reward == "classifier"


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(600)
def test_a_classifier_is_trained_on_labels_and_its_word_alone_is_learned_from() -> None:
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        data = Path(folder)
        task = short_task(data)
        settings = RehearsalSettings(
            cell="simulation",
            task=os.fspath(task),
            classifier_episodes=EPISODES,
            classifier_updates=40,  # it need not be a good one
            patience_s=0.5,
            demonstrations=1,
            episodes=1,
            evaluations=1,
            evaluation_before=False,
            seed=3,
        )
        report = rehearse(settings, data, quiet=True)
        segments, labelled = segments_of(data), segments_of(data / FOLDER)
        taught = list(learned(data, task, segments))
        assert not list(learned(data, task, labelled)), "these were labelled by a person"
    assert report.problems() == []
    assert report.reward == "classifier"

    assert report.classifier is not None
    made = report.classifier.training
    assert made is not None
    assert made.episodes == EPISODES
    assert 13 <= made.successes < EPISODES
    assert made.held_out.positives > 0
    assert made.held_out.negatives > 0
    assert made.held_out.episodes >= 5
    assert min(made.robot_s, made.human_s) > 0
    assert [entry.purpose for entry in report.timeline] == [
        Purpose.DEMONSTRATION,
        Purpose.TRAINING,
        Purpose.EVALUATION,
    ]
    driven_s = sum(entry.human_s for entry in report.timeline)
    assert report.human_seconds == pytest.approx(driven_s + made.human_s)
    assert report.classifier.labels.episodes == 2, "all but what measures the policy"
    assert report.classifier.evaluations.episodes == 1

    steps, before = check_silent(segments), check_silent(labelled)
    assert all(step.evidence.classifier_probability is not None for step in steps)
    assert all(step.evidence.classifier_probability is None for step in before)
    assert {step.episode_id for step in steps}.isdisjoint({step.episode_id for step in before})
    measured = report.timeline[-1].steps
    assert report.steps_available == report.steps_trainable == len(steps) - measured - 3
    assert sum(len(each) for each in taught) == report.steps_trainable + 2
    assert not any(each["success"].any() for each in taught)
