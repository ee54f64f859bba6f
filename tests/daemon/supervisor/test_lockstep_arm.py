"""In lock-step control is a guest of the arm's process: the same robot, with one process less."""

import time
from pathlib import Path

import numpy as np
import pytest

from hardware.clock import VirtualClock
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.processes import WhenItDies, needed
from robot_rl.daemon.supervisor.supervisor import Daemon
from tests.daemon.conftest import ARM_AND_CONTROL


def test_in_lockstep_control_has_no_process_of_its_own() -> None:
    apart = needed(_settings(Path("unused"), lockstep=False))
    assert [entry.name for entry in apart] == ["arm", "control", "actor", "link", "camera"]
    arm, *others = needed(_settings(Path("unused"), lockstep=True))
    assert [arm.name, *(entry.name for entry in others)] == ["arm", "actor", "link", "camera"]
    assert arm.when_it_dies is WhenItDies.END
    assert not arm.party
    assert all(entry.party for entry in others)


def _settings(folder: Path, *, lockstep: bool) -> DaemonSettings:
    return DaemonSettings(
        cell=load_cell("simulation"),
        task=load_task("lift_cube"),
        data_folder=folder,
        lockstep=lockstep,
    )


@pytest.mark.slow
def test_a_robot_does_the_same_with_control_in_the_arms_process_and_apart(make_robot) -> None:
    together = _drive(make_robot(), ARM_AND_CONTROL)
    apart = _drive(make_robot(), "arm", "control")
    for name, seen in together.items():
        assert seen == apart[name], f"the {name} differs"


def _drive(robot, *processes: str) -> dict[str, bytes]:
    """A takeover, a person who drives up to the limits, silence, and the pause that follows."""
    robot.start(*processes)
    robot.run(302)  # between two ticks of control: what is written now counts at the next one
    robot.take_over()
    robot.drive_for(600, axes=(0.3, 1.0, -0.4, 0.0, 0.2, 0.5), gripper=-1)
    robot.drive_for(1500, axes=(0.0, -1.0, 0.0, 0.0, 0.0, 0.0), gripper=1)
    robot.run(700)
    assert robot.mode == "paused", robot.cause
    results = robot.ring("step_results").drain()
    assert len(results) > 20
    command, arm = robot.command.read(), robot.arm.read()
    assert int(arm["commands"]) == robot.now_ns // 5_000_000 > 500  # one in each period
    robot.stop()
    moved = [result["executed"].tobytes() for result in results]
    return {"command": command.tobytes(), "arm": arm.tobytes(), "account": b"".join(moved)}


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fails", [False, True])
def test_a_daemon_in_lockstep_ends_with_its_control_and_when_it_is_asked_to(
    tmp_path: Path, fails: bool
) -> None:
    settings = _settings(tmp_path, lockstep=True)
    daemon = Daemon(settings)
    daemon.start()
    try:
        assert "control" not in daemon.pids()
        clock = VirtualClock(settings.memory, None)
        assert clock.wait_until_ns(2_000_000_000, 60.0), "virtual time does not begin"
        control = topics.open_slot(settings.memory, "control").read()
        assert bytes(control["mode"]) == b"idle"
        if fails:
            record = np.zeros((), topics.MESSAGE)
            record["size"], record["text"] = 8, b"no JSON!"
            assert topics.open_ring(settings.memory, "intents").push(record)
            _eventually_ended(daemon)
    finally:
        daemon.stop()
    if not fails:  # without time nobody can wait for control to hold
        assert "killed: it did not end in time" not in settings.log_file.read_text()
    assert not settings.memory.exists()
    expected = "arm ended unexpectedly (exit code 1): the robot PC cannot go on"
    assert daemon.failure == (expected if fails else None)


def _eventually_ended(daemon: Daemon) -> None:
    deadline = time.monotonic() + 60.0
    while daemon.running:
        assert time.monotonic() < deadline, "the daemon goes on without control"
        time.sleep(0.02)


@pytest.mark.slow
def test_time_stands_when_nobody_but_the_guest_is_left(make_robot) -> None:
    robot = make_robot()
    robot.start(ARM_AND_CONTROL)
    robot.run(100)
    robot.clock.leave()
    stood_ns = robot.now_ns
    messages.send(robot.ring("intents"), messages.EndMotion(reason="nobody waits"))
    assert not robot.clock.wait_until_ns(stood_ns + 5_000_000, 0.5)
    assert robot.now_ns == stood_ns
    robot.stop()
