"""A SpaceMouse at the robot PC drives under the lease of the console's person."""

from uuid import uuid4

import numpy as np
import pytest

from robot_rl.daemon import topics
from robot_rl.daemon.control.operator_input import DEAD_MAN_BUTTON
from robot_rl.schema.live.client_message import AcquireLease, EndTakeover, Takeover
from robot_rl.schema.live.robot_message import CommandResult

DEVICE = "spacemouse"


@pytest.fixture(scope="module")
def robot(make_robot):
    robot = make_robot()
    robot.start("arm", "control")
    robot.run(100)
    return robot


@pytest.fixture
def local(robot):
    return topics.open_slot(robot.settings.memory, "local_input")


def hand(robot, local, duration_ms, *, held, y=0.0, console=True):
    """The console keeps its lease with released keys; the hand is on the device at the robot."""
    for _ in range(duration_ms // 20):
        record = np.zeros((), topics.LOCAL_INPUT)
        record["t_ns"], record["connected"], record["device"] = robot.now_ns, True, DEVICE.encode()
        record["axes"][1], record["buttons"][DEAD_MAN_BUTTON] = y, held
        local.write(record)
        if console:
            robot.drive(deadman=False)
        robot.run(20)


def take_over(robot, local, *, held) -> CommandResult:
    """What the console's button does, and the answer to it."""
    robot.rest()
    assert robot.answer_of(AcquireLease).accepted
    hand(robot, local, 40, held=False)
    hand(robot, local, 40, held=held)
    request = Takeover(request_id=uuid4(), device=DEVICE)
    robot.ask(request)
    hand(robot, local, 600, held=held)
    (answer,) = (each for each in robot.answers if each.request_id == request.request_id)
    return answer


def test_the_device_at_the_robot_drives_without_a_dead_man_in_the_browser(robot, local):
    assert take_over(robot, local, held=True).accepted
    assert robot.mode == "takeover"
    before = robot.position_m
    hand(robot, local, 400, held=True, y=0.6)
    hand(robot, local, 200, held=False)
    assert (robot.position_m - before)[1] > 0.03
    held_m = robot.position_m
    hand(robot, local, 300, held=False, y=0.6)  # deflected without the dead-man: nothing moves
    np.testing.assert_allclose(robot.position_m, held_m, atol=0.003)
    assert robot.answer_of(EndTakeover).accepted


def test_without_its_dead_man_the_takeover_is_refused_in_a_sentence(robot, local):
    answer = take_over(robot, local, held=False)
    assert not answer.accepted
    assert "dead-man" in answer.reason
    assert robot.mode == "idle"


def test_a_console_that_falls_silent_takes_the_device_at_the_robot_with_it(robot, local):
    assert take_over(robot, local, held=True).accepted
    hand(robot, local, 300, held=True, y=0.8)
    assert robot.speed_m_s() > 0.1
    hand(robot, local, 260, held=True, y=0.8, console=False)
    assert robot.mode == "takeover"
    assert robot.speed_m_s() < 0.005
    hand(robot, local, 200, held=True, y=0.8, console=False)
    assert robot.speed_m_s() < 0.005


def test_a_takeover_needs_the_console_as_well(robot, local):
    robot.rest()
    assert robot.answer_of(AcquireLease).accepted
    hand(robot, local, 240, held=True, console=False)
    request = Takeover(request_id=uuid4(), device=DEVICE)
    robot.ask(request)
    hand(robot, local, 600, held=True, console=False)
    (answer,) = (each for each in robot.answers if each.request_id == request.request_id)
    assert not answer.accepted
    assert robot.mode == "idle"
