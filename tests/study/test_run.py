"""A study goes on where it stopped: what is kept, what is refused, and what is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from robot_rl.config.document import CHECKOUT
from robot_rl.errors import Conflict
from robot_rl.rehearsal.report import Machine
from robot_rl.study import run as runner
from robot_rl.study.cells import cells_of
from robot_rl.study.results import BadResult, CodeVersion, read_result, result_file
from robot_rl.study.run import OtherSettings, RunSettings, run
from robot_rl.study.settings import load_study
from tests.study.cell_results import CODE

TEXT = """\
name = "trial"
tasks = ["lift_cube"]
seeds = [4]
[budget]
episodes = 2
[arms.one]
[arms.two]
[arms.cloning]
human_seconds_of = "two"
"""
STAND_IN = Path(__file__).with_name("stand_in.py")
ARMS = ("one", "two", "cloning")


class Trial:
    """The study above with a stand-in for `rehearse`."""

    def __init__(self, folder: Path) -> None:
        self.out, self.file, self.behaviour = folder / "out", folder / "t.toml", folder / "b.json"
        self.file.write_text(TEXT)
        self.does()
        program = (sys.executable, str(STAND_IN), str(self.behaviour))
        self.settings = RunSettings(study="trial", folder=self.out, timeout_s=60.0, program=program)

    def does(self, **arms: str) -> None:
        self.behaviour.write_text(json.dumps(arms))

    def run(self, text: str | None = None, **settings: object) -> None:
        self.file.write_text(text or TEXT)
        cells = cells_of(load_study(self.file), self.out)
        run(cells, replace(self.settings, **settings))  # pyright: ignore[reportArgumentType]

    def asked(self) -> list[str]:
        """The arms that ran since this was asked last, in order."""
        notes = self.behaviour.parent / "asked.txt"
        lines = notes.read_text().splitlines() if notes.exists() else []
        notes.unlink(missing_ok=True)
        return [line.partition(" ")[0] for line in lines]

    def failure(self, arm: str) -> str | None:
        result = read_result(self.out, f"lift_cube.{arm}.4")
        return None if result is None else result.failure


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))  # for the stand-in, which is run as a file
    return Trial(tmp_path)


def test_a_finished_study_is_kept_as_it_is(trial: Trial) -> None:
    trial.run()
    assert trial.asked() == ["one", "two", "cloning"]
    files = {arm: result_file(trial.out, f"lift_cube.{arm}.4").read_bytes() for arm in ARMS}
    trial.run()
    assert trial.asked() == []
    for arm, content in files.items():
        assert result_file(trial.out, f"lift_cube.{arm}.4").read_bytes() == content
        assert json.loads(content)["report"]["everything_else"] == 1, "the whole report is kept"


def test_a_cell_gets_the_human_seconds_of_another(trial: Trial) -> None:
    trial.run()
    notes = (trial.behaviour.parent / "asked.txt").read_text().splitlines()
    # 20 steps of the demonstration and 10 of each training episode, 0.1 s each
    assert ["--demonstration-seconds 5.000" in line for line in notes] == [False, False, True]


def test_the_start_is_evaluated_once_for_arms_that_share_it(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "code_version", lambda: CODE)
    text = (
        TEXT
        + """
[arms.other_task]
task.max_steps = 90
[arms.judged_by_a_person]
task.reward.source = "operator"
[arms.judged_by_another]
task.reward.source = "operator"
operator = { skill = 0.7 }
[arms.unskilled]
operator = { skill = 0.7 }
[arms.judged_by_a_classifier]
task.reward.source = "classifier"
classifier_episodes = 30
"""
    )
    trial.run(text)
    lines = (trial.behaviour.parent / "asked.txt").read_text().splitlines()
    asked = {line.split()[0]: "--no-evaluation-before" not in line for line in lines}
    assert asked == {
        "one": True,
        "two": False,
        "cloning": False,
        "other_task": True,
        "judged_by_a_person": True,
        "judged_by_another": True,
        "unskilled": False,
        "judged_by_a_classifier": False,  # a person judges its evaluations too
    }
    first, second = (read_result(trial.out, f"lift_cube.{arm}.4") for arm in ("one", "two"))
    assert first is not None
    assert first.report is not None
    assert second is not None
    assert second.report is not None
    assert (first.start_of, second.start_of) == ("", "lift_cube.one.4")
    assert second.report.before == first.report.before
    kept = json.loads(result_file(trial.out, "lift_cube.two.4").read_text())
    assert kept["report"]["success_before"]["successes"] == 1


@pytest.mark.parametrize("tree", ["", "aaaa-changed"])
def test_a_start_of_unknown_code_is_evaluated_again(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, tree: str
) -> None:
    monkeypatch.setattr(runner, "code_version", lambda: CodeVersion(commit="0", tree=tree))
    trial.run()
    assert "--no-evaluation-before" not in (trial.behaviour.parent / "asked.txt").read_text()


@pytest.mark.parametrize("other", ["code", "machine"])
def test_a_start_of_other_code_or_machine_is_evaluated_again(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setattr(runner, "code_version", lambda: CODE)
    trial.does(two="fail")
    trial.run()
    trial.asked()
    trial.does()
    if other == "code":
        monkeypatch.setattr(runner, "code_version", lambda: CodeVersion(commit="1", tree="bbbb"))
    else:
        monkeypatch.setattr(runner, "_machine", lambda: Machine(cores=77))
    trial.run(retry=True)
    notes = (trial.behaviour.parent / "asked.txt").read_text().splitlines()
    assert ["--no-evaluation-before" in line for line in notes] == [False, True]


def test_a_failed_cell_says_why_and_stops_no_other(trial: Trial) -> None:
    trial.does(one="fail")
    trial.run()
    assert trial.asked() == ["one", "two", "cloning"]
    assert trial.failure("one") == "exit code 2\nrobot-rl: the gripper is gone"
    assert (trial.failure("two"), trial.failure("cloning")) == ("", "")
    trial.does()
    trial.run()
    assert trial.asked() == [], "it stays as it is"
    trial.run(retry=True)
    assert (trial.asked(), trial.failure("one")) == (["one"], "")


def test_what_needs_a_failed_cell_fails_with_it(trial: Trial) -> None:
    trial.does(two="fail")
    trial.run()
    assert trial.asked() == ["one", "two"]
    assert trial.failure("cloning") == "it gets the human seconds of lift_cube.two.4, which failed"
    trial.does()
    trial.run(retry=True)
    assert trial.asked() == ["two", "cloning"]
    assert trial.failure("cloning") == ""


def test_other_settings_are_refused_before_anything_runs(trial: Trial) -> None:
    trial.run()
    trial.asked()
    changed = TEXT.replace("[arms.two]", "[arms.two]\ntask.max_steps = 90\n[arms.three]")
    with pytest.raises(OtherSettings, match=r"lift_cube\.two\.4 and 1 more.*--redo"):
        trial.run(changed)
    assert trial.asked() == []
    trial.run(changed, redo=True)
    assert trial.asked() == ["two", "three", "cloning"], "one is as it was"


def test_a_cell_that_takes_too_long_is_ended(trial: Trial) -> None:
    trial.does(one="hang")
    trial.run(timeout_s=3.0)
    assert trial.failure("one") == "it took longer than 0.05 minutes\nstill at it"
    assert trial.failure("two") == ""
    assert left_running(trial) == []


def test_two_studies_do_not_write_into_one_folder(trial: Trial) -> None:
    with (
        runner._alone(trial.out),
        pytest.raises(Conflict, match="another `robot-rl study` writes there"),
    ):
        trial.run()


def test_a_damaged_result_is_named(trial: Trial) -> None:
    trial.run()
    result_file(trial.out, "lift_cube.one.4").write_text('{"study": "trial"}')
    with pytest.raises(BadResult, match=r"lift_cube\.one\.4\.json: .*take it away"):
        trial.run()


@pytest.mark.fault
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_is_ended_keeps_what_it_has(trial: Trial, number: signal.Signals) -> None:
    """With two cells at work: nothing is left running, and the next call goes on."""
    trial.does(two="hang", one="work")
    # The command itself, with the stand-in as what it runs by default.
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from robot_rl import cli\n"
        "from robot_rl.study import run\n"
        f"run.RunSettings.__init__.__kwdefaults__['program'] = {trial.settings.program!r}\n"
        f"sys.argv = ['robot-rl', 'study', {str(trial.file)!r}, '--out', {str(trial.out)!r}]\n"
        "sys.argv += ['--parallel', '2']\n"
        "cli.main()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT) as process:
        until(lambda: trial.failure("one") == "" and len(left_running(trial)) > 1)
        process.send_signal(number)
        code = process.wait(30)
    assert code == (-number if number is signal.SIGKILL else 130)
    until(lambda: left_running(trial) == [])
    assert trial.failure("two") is None
    assert not list((trial.out / "cells").glob(".*")), "nothing half written"
    trial.asked()
    trial.does()
    trial.run()
    assert trial.asked() == ["two", "cloning"]


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def left_running(trial: Trial) -> list[str]:
    """Command lines of processes that name the study's folder."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # it ended while we looked
            if str(trial.out.parent) in command:
                found.append(command.replace("\0", " "))
    return found
