"""With the classifier's word as the reward, what the simulator knows reaches no step, no policy and
no learner.

The classifier of this test never sees a success. Whoever hears of one heard it from the simulator,
and in a demonstration by the expert the simulator does see the task done.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rl.config.document import CHECKOUT, load_task, read_toml
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.feature_store import FeatureStore, segment_key
from robot_rl.learner.learner import FEATURES
from robot_rl.policy.folder import read_manifest, sha256_of
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.segment import decode_segment
from tests.policy.tiny_success import store_constant
from tests.rehearsal.test_two_robots import ARROW

NEVER = 0.01  # its probability of success
MAX_STEPS = 45  # the expert needs fewer


def short_task(folder: Path) -> Path:
    source = CHECKOUT / "tasks" / "lift_cube.toml"
    file = folder / "tasks" / "lift_cube.toml"
    write_task(file, merged(read_toml(source), {"max_steps": MAX_STEPS}), source)
    return file


def learned(data: Path, task: Path, segments: list[bytes]) -> Iterator[Trajectory]:
    """What the learner made of each segment, and trained on."""
    known = load_task(os.fspath(task))
    manifest = read_manifest((known.path.parent / known.policy.folder).resolve())
    folder = data / "learner" / known.name / FEATURES
    store = FeatureStore(folder, manifest.backbone.model_dump_json(), one_by_one=True)
    for segment in segments:
        encoded = store.get(segment_key(sha256_of(segment), known.instruction))
        assert encoded is not None
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
        files = [path.read_bytes() for path in (data / "blobs").rglob("*") if path.is_file()]
        segments = [content for content in files if content.startswith(ARROW)]
        taught = list(learned(data, task, segments))
    assert report.problems() == []
    (shown,) = report.timeline
    assert report.classifier is not None
    assert report.classifier.missed == 1, "the simulator did see it done, and told the person"

    steps = [record.step for segment in segments for record in decode_segment(segment)]
    assert {step.evidence.simulator_success for step in steps} == {None}
    said = [step.evidence.classifier_probability for step in steps]
    assert said == pytest.approx([NEVER] * len(steps), rel=1e-4)
    assert (shown.purpose, shown.steps) == (Purpose.DEMONSTRATION, MAX_STEPS), "nobody ended it"
    assert shown.outcome is Outcome.FAILURE
    assert not any(step.terminated for step in steps)

    arms = [arm for step in steps for arm in step.arms.values()]
    assert all(not arm.sensors for arm in arms), "the policy sees the arm and the pictures alone"
    assert report.steps_available == report.steps_trainable == MAX_STEPS
    assert sum(len(each) for each in taught) == len(steps) == MAX_STEPS + 1
    assert not any(each["success"].any() or each["terminated"].any() for each in taught)
    assert report.reward == "classifier"
