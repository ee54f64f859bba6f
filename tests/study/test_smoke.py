"""A study for real: killed in the middle, it goes on; nothing is left running."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from robot_rl.config.document import CHECKOUT
from robot_rl.study.report import report_file
from robot_rl.study.results import CellReport, read_result, result_file

SMOKE = CHECKOUT / "benchmarks" / "studies" / "smoke.toml"
FIRST, SECOND = "lift_cube.hil_serl.3", "lift_cube.cloning.3"


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.fault
@pytest.mark.timeout(900)
def test_a_study_that_was_killed_goes_on() -> None:
    # Not pytest's own folder: as root, Postgres runs as another user and must be able to enter it.
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        out = Path(folder)
        command = [sys.executable, "-m", "robot_rl.cli", "study", str(SMOKE), "--out", folder]
        with subprocess.Popen(command, cwd=CHECKOUT) as study:
            until(lambda: read_result(out, FIRST) is not None and ours(folder, "daemon") != [])
            study.send_signal(signal.SIGKILL)
        until(lambda: ours(folder) == [])
        assert read_result(out, SECOND) is None
        kept = result_file(out, FIRST).read_bytes()

        told = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=600, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert result_file(out, FIRST).read_bytes() == kept
        assert f"{FIRST}: " not in told.stdout, "it ran once"
        helped, cloned = report(out, FIRST), report(out, SECOND)
        purposes = "".join(entry.purpose.value[0] for entry in helped.timeline)
        assert re.fullmatch("et+e", purposes), purposes
        assert helped.human_seconds > 0
        assert cloned.human_seconds >= helped.human_seconds
        purposes = "".join(entry.purpose.value[0] for entry in cloned.timeline)
        assert re.fullmatch("ed+e", purposes), purposes
        assert cloned.after is not None
        (after,) = cloned.after.episodes
        assert max(after.policy_versions) > 1, "what was cloned on the way has acted"
        text = report_file(out).read_text()
        assert "| hil_serl, cloning |" in text
        assert (out / "lift_cube.svg").stat().st_size > 1000


def report(out: Path, name: str) -> CellReport:
    result = read_result(out, name)
    assert result is not None
    assert result.report is not None, result.failure
    return result.report


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 400
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ours(folder: str, what: str = "") -> list[str]:
    """Command lines of other processes that name the folder, and `what`."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # it ended while we looked
            if folder in command and what in command:
                found.append(command.replace("\0", " "))
    return found
