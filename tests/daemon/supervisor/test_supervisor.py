"""The supervisor: what dies is restarted, latched or ends the daemon; nothing is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hardware import arm_topics
from hardware.memory import Slot
from hardware.simulation_topics import CANNOT_DRAW
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import topics
from robot_rl.daemon.actor import process as actor_process
from robot_rl.daemon.control.latch import read_latch
from robot_rl.daemon.data_folder import DataFolderUnusable
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.processes import TABLE, WhenItDies, needed
from robot_rl.daemon.supervisor.supervisor import Daemon, DaemonFailed
from safety.faults import FaultCode
from safety.vocabulary import ONLY_ARM

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[3]


def settings_in(folder: Path) -> DaemonSettings:
    return DaemonSettings(
        cell=load_cell("simulation"), task=load_task("lift_cube"), data_folder=folder
    )


def eventually(true: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Ended, or a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def mode(control: Slot) -> str:
    return bytes(control.read()["mode"]).decode()


def test_the_table_says_what_each_death_means() -> None:
    entries = (*TABLE, *needed(settings_in(Path("unused"))))
    meaning = {entry.name: entry.when_it_dies for entry in entries}
    assert meaning["arm"] is WhenItDies.END
    assert meaning["control"] is WhenItDies.LATCH
    assert {meaning[name] for name in ("camera", "actor", "link", "teleop")} == {WhenItDies.RESTART}
    names = [entry.name for entry in needed(settings_in(Path("unused")))]
    assert names == ["arm", "control", "actor", "link", "camera"]  # no SpaceMouse in this cell


def test_the_table_names_the_exit_codes_that_no_restart_mends() -> None:
    codes = {entry.name: entry.hopeless_exit for entry in needed(settings_in(Path("unused")))}
    del codes["arm"], codes["control"], codes["link"]
    assert codes == {"camera": CANNOT_DRAW, "actor": actor_process.NO_POLICY}


def test_a_starting_policy_that_is_broken_ends_the_daemon(tmp_path: Path) -> None:
    original = load_task("lift_cube").path
    task = tmp_path / original.name
    shutil.copy(original, task)
    shutil.copytree(original.with_suffix(""), task.with_suffix(""))
    (task.with_suffix("") / "head.safetensors").write_bytes(b"broken")
    daemon = Daemon(replace(settings_in(tmp_path / "data"), task=load_task(str(task))))
    try:
        daemon.start()
        eventually(lambda: not daemon.running, "the actor is started again and again")
    finally:
        daemon.stop()
    assert daemon.failure is not None
    assert daemon.failure.startswith("actor cannot run")
    log = daemon.settings.log_file.read_text()
    assert "the starting policy cannot be used" in log
    assert str(task.with_suffix("") / "head.safetensors") in log


@pytest.mark.injects(FaultCode.CONTROL_LOST)
def test_deaths_and_the_end(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    daemon = Daemon(settings)
    daemon.start()
    try:
        control = topics.open_slot(settings.memory, "control")
        arm = arm_topics.open_state(settings.memory, settings.cell.arms[ONLY_ARM].joints)
        eventually(lambda: control.count > 0, "control did not start")
        assert mode(control) == "idle"
        with pytest.raises(DataFolderUnusable, match="another daemon"):
            Daemon(settings_in(tmp_path)).start()

        before = daemon.pids()
        os.kill(before["link"], signal.SIGKILL)
        eventually(
            lambda: daemon.pids().get("link") not in (None, before["link"]), "link is not back"
        )
        assert mode(control) == "idle"  # the robot is not concerned

        os.kill(before["control"], signal.SIGKILL)
        eventually(lambda: bool(arm.read()["braking"]), "the arm did not brake by itself")
        tick, count = int(arm.read()["tick"]), control.count
        eventually(lambda: control.count > count, "control is not back")
        assert mode(control) == "stopped"
        latch = read_latch(settings.latch_file)
        assert (latch.stopped_by, latch.fault) == ("the supervisor", FaultCode.CONTROL_LOST)
        assert "control ended unexpectedly (signal SIGKILL)" in (latch.cause or "")
        assert int(arm.read()["tick"]) > tick  # the physics ran on
        assert daemon.pids()["arm"] == before["arm"]

        last = daemon.pids()
        os.kill(last["arm"], signal.SIGKILL)
        eventually(lambda: not daemon.running, "the daemon did not end with its robot")
    finally:
        daemon.stop()
    assert daemon.failure is not None
    assert "arm ended unexpectedly (signal SIGKILL)" in daemon.failure
    assert all(gone(pid) for pid in last.values())
    assert not settings.memory.exists()
    log = settings.log_file.read_text()
    assert '"child": "control", "how": "signal SIGKILL"' in log


def test_a_start_that_fails_half_way_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    daemon = Daemon(settings)
    started: dict[str, int] = {}

    def break_down(*_: object) -> bool:
        started.update(daemon.pids())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(daemon, "_wait_until_ready", break_down)
    with pytest.raises(DaemonFailed, match="No space left on device"):
        daemon.run()
    assert "arm" in started
    assert all(gone(pid) for pid in started.values())
    assert not settings.memory.exists()
    assert "Traceback" in settings.log_file.read_text()
    again = Daemon(settings_in(tmp_path))  # the folder is free again
    again.start()
    again.stop()


_PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from robot_rl.daemon.supervisor.supervisor import Daemon
from tests.daemon.supervisor.test_supervisor import settings_in

if __name__ == "__main__":
    settings = settings_in(Path(sys.argv[1]))
    daemon = Daemon(settings)
    daemon.start()
    print(settings.memory, *daemon.pids().values(), flush=True)
    sys.stdin.read()
"""


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "daemon.py"
    script.write_text(_PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "data"), str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        memory, *pids = process.stdout.readline().split()
        assert len(pids) == 5
        process.kill()
        eventually(lambda: all(gone(int(pid)) for pid in pids), "a child outlived its supervisor")
    assert Path(memory).exists()  # nobody was left to remove it …
    daemon = Daemon(settings_in(tmp_path / "data"))
    daemon.start()
    daemon.stop()
    assert not Path(memory).exists()  # … but the next daemon does
