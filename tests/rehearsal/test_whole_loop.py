"""The whole system, as `robot-rl rehearse` runs it: nothing lost, policies learned and acted."""

from pathlib import Path

import pytest

from robot_rl.rehearsal.report import RehearsalReport
from robot_rl.rehearsal.timeline import frozen_evaluations
from safety.faults import FaultCode

pytestmark = pytest.mark.slow

type Rehearsed = tuple[RehearsalReport, Path]


@pytest.mark.injects(FaultCode.LEARNER_LOST)
def test_killing_the_learner_and_the_server_loses_and_doubles_nothing(
    rehearsed: Rehearsed,
) -> None:
    report, _ = rehearsed
    assert report.parts_killed == {"learner": 1, "server": 1}
    assert report.episodes == 1 + 1 + 6 + 1
    assert report.steps_recorded == report.steps_stored > 0
    assert report.steps_available == report.steps_trainable > 0
    assert report.problems() == []


def test_the_timeline_has_every_episode_with_its_clocks(rehearsed: Rehearsed) -> None:
    report, _ = rehearsed
    assert "".join(entry.purpose.value[0] for entry in report.timeline) == "ed" + 6 * "t" + "e"
    assert sum(entry.steps + 1 for entry in report.timeline) == report.steps_stored
    first, last = frozen_evaluations(report.timeline)
    assert (first.robot_s, first.last, last.last) == (0, False, True)
    assert last.human_s == pytest.approx(report.human_seconds)
    assert first.episodes[0].seed == last.episodes[0].seed
    assert first.episodes[0].policy_versions == (0,)
    assert len(last.episodes[0].policy_versions) == 1, "it acted with frozen weights"
    for entry in report.timeline:
        assert entry.robot_s > 0.1 * entry.steps, "the reset is in it"


def test_new_policies_acted_and_people_helped(rehearsed: Rehearsed) -> None:
    report, _ = rehearsed
    assert len(report.versions_acted) >= 2
    assert report.interventions >= 1
    assert report.human_seconds > 0


def test_nothing_is_left_running(rehearsed: Rehearsed) -> None:
    _, data = rehearsed
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # it ended while we looked
            assert str(data) not in command, command.replace("\0", " ")
