"""The way home of an arm whose gripper was turned too far for the shortest turn."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from robot_rl.daemon import messages
from robot_rl.daemon.control.turns import TurnTrail
from robot_rl.daemon.messages import GoHome
from robot_rl.schema.live.client_message import EndTakeover
from safety import rotation

MS = 1_000_000
LAST_JOINT_RAD = 2.8  # it stops at 2.897
_EVENTS: TypeAdapter[messages.ControlEvent] = TypeAdapter(messages.ControlEvent)


def test_a_gripper_turned_too_far_turns_back_the_way_it_came(make_robot):
    """The shortest turn to the start pose would lead on into the last joint's limit."""
    robot = make_robot("insert_peg")
    robot.start("arm", "control")
    robot.run(100)
    robot.take_over()
    too_late_ns = robot.now_ns + 20_000 * MS
    while robot.arm.read()["q"][6] < LAST_JOINT_RAD:
        robot.drive_for(200, axes=(0, 0, 0, 0, 0, -1))
        assert robot.now_ns < too_late_ns
    robot.drive_for(4000, axes=(0, 0, -0.3, 0, 0, -1))
    assert robot.answer_of(EndTakeover).accepted
    robot.ring("control_events").drain()
    messages.send(robot.ring("intents"), GoHome())
    robot.run(10_000)
    kinds = [event.kind for event in messages.receive(robot.ring("control_events"), _EVENTS)]
    assert "home_reached" in kinds
    assert robot.status["at_home"]


def turned(angle_rad):
    return rotation.plus(np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0, angle_rad]))


@pytest.mark.parametrize("most_rad", [2.5, 4.0, 9.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_trail_leads_back_the_way_the_gripper_was_turned(sign, most_rad):
    """Followed in steps of 0.02 rad, also beyond half a turn and a whole one."""
    trail, angle = TurnTrail(turned(0.0)), 0.0
    while angle < most_rad:
        angle += 0.02
        trail.follow(turned(sign * angle))
    while (goal := trail.back()) is not None:
        step = rotation.minus(goal, turned(sign * angle))
        assert step[2] * sign < 0, "back, not on"
        angle -= 0.02
        trail.follow(turned(sign * angle))
    assert angle < 2.0


def test_a_trail_that_was_hardly_turned_leads_nowhere():
    trail = TurnTrail(turned(0.0))
    for angle in np.arange(0.0, 1.9, 0.02):
        trail.follow(turned(angle))
    assert trail.back() is None
