"""The whole system, as `robot-rl rehearse` runs it: nothing lost, policies learned and acted."""

from pathlib import Path

import pytest

from robot_rl.rehearsal.report import RehearsalReport

pytestmark = pytest.mark.slow

type Rehearsed = tuple[RehearsalReport, Path]


def test_killing_the_learner_and_the_server_loses_and_doubles_nothing(
    rehearsed: Rehearsed,
) -> None:
    report, _ = rehearsed
    assert report.parts_killed == {"learner": 1, "server": 1}
    assert report.episodes == 1 + 1 + 6 + 1
    assert report.steps_recorded == report.steps_stored > 0
    assert report.steps_available == report.steps_trainable > 0
    assert report.problems() == []


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
