"""In lock-step control is a guest of the arm's process: the same robot, with one process less."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor.processes import WhenItDies, needed
from tests.daemon.conftest import ARM_AND_CONTROL


def test_in_lockstep_control_has_no_process_of_its_own() -> None:
    settings = DaemonSettings(
        cell=load_cell("simulation"), task=load_task("lift_cube"), data_folder=Path("unused")
    )
    names = {lockstep: _names(replace(settings, lockstep=lockstep)) for lockstep in (False, True)}
    assert names[False] == ["arm", "control", "actor", "link", "camera"]
    assert names[True] == ["arm", "actor", "link", "camera"]
    arm, *others = needed(replace(settings, lockstep=True))
    assert arm.when_it_dies is WhenItDies.END
    assert not arm.party
    assert all(entry.party for entry in others)


def _names(settings: DaemonSettings) -> list[str]:
    return [entry.name for entry in needed(settings)]


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
def test_an_error_in_control_ends_the_process_that_hosts_it(make_robot) -> None:
    robot = make_robot()
    robot.start(ARM_AND_CONTROL)
    robot.run(100)
    process = robot.processes[ARM_AND_CONTROL]
    record = np.zeros((), topics.MESSAGE)
    record["size"], record["text"] = 8, b"no JSON!"
    assert robot.ring("intents").push(record)
    robot.clock.grant_until_ns(robot.now_ns + 100_000_000)
    process.join(20)
    assert process.exitcode == 1


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
