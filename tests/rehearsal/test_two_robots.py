"""Two robots feed one learner; and with the operator's labels alone, the simulator says nothing."""

import os
import tempfile
from pathlib import Path

import pytest

from robot_rl.rehearsal.report import RehearsalReport
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.rehearsal.timeline import frozen_evaluations
from robot_rl.schema.segment import decode_segment
from robot_rl.schema.step import Step
from tests.rehearsal.short_task import short_task

ARROW = b"ARROW1"


def recorded(data: Path) -> list[Step]:
    """Every step that the server holds."""
    files = [path.read_bytes() for path in (data / "blobs").rglob("*") if path.is_file()]
    segments = [content for content in files if content.startswith(ARROW)]
    return [record.step for segment in segments for record in decode_segment(segment)]


def check_both(report: RehearsalReport, episodes: int) -> None:
    assert report.problems() == []
    assert [each.robot for each in report.robots] == ["gym-panda", "gym-panda-2"]
    assert [each.episodes for each in report.robots] == [episodes, episodes]
    assert all(each.steps_stored > 20 and each.robot_s > 1 for each in report.robots)
    assert sum(each.steps_stored for each in report.robots) == report.steps_recorded
    assert report.steps_available == report.steps_trainable > 0
    assert {entry.robot for entry in report.timeline} == {"gym-panda", "gym-panda-2"}


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(900)
def test_two_robots_feed_one_learner_with_labels_alone() -> None:
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        data = Path(folder)
        settings = RehearsalSettings(
            cell="gym_pick_cube",
            task=os.fspath(short_task(data, "gym_pick_cube")),
            robots=2,
            episodes=2,
            evaluations=2,
            reward="operator",
            seed=3,
        )
        report = rehearse(settings, data, quiet=True)
        steps = recorded(data)
    check_both(report, episodes=4)
    first, last = frozen_evaluations(report.timeline)
    assert {episode.robot for episode in last.episodes} == {"gym-panda", "gym-panda-2"}
    assert {episode.seed for episode in first.episodes} == {each.seed for each in last.episodes}
    assert len({episode.policy_versions for episode in last.episodes}) == 1, "of one version"
    assert max(last.episodes[0].policy_versions) > 1, "which was learned"
    assert last.robot_s > last.elapsed_s > 0
    assert len(steps) == report.steps_stored
    assert {step.evidence.simulator_success for step in steps} == {None}
    assert report.reward == "operator"
    assert all(entry.outcome is not None for entry in report.timeline)
