"""Control on the simulated arm: a person drives, loses the line, stops; the arm's own watchdog."""

from uuid import uuid4

import numpy as np
import pytest
from pydantic import TypeAdapter

from robot_rl.daemon import messages
from robot_rl.daemon.messages import GoHome
from robot_rl.schema.live.client_message import AcquireLease, Clear, EndTakeover, Stop
from robot_rl.schema.live.robot_command import ClientGone
from safety.faults import FaultCode, bound_ms

MS = 1_000_000
LOSSES = {
    "socket": FaultCode.OPERATOR_LOST,
    "dead-man": FaultCode.PAGE_FROZEN,
    "frozen page": FaultCode.PAGE_FROZEN,
}
_EVENTS: TypeAdapter[messages.ControlEvent] = TypeAdapter(messages.ControlEvent)


@pytest.fixture(scope="module")
def running(make_robot):
    robot = make_robot()
    robot.start("arm", "control")
    robot.run(100)
    return robot


@pytest.fixture
def robot(running):
    running.rest()
    return running


def greatest_speed_m_s(robot, duration_ms: int) -> float:
    """Of the measured TCP, looked at every 10 ms from now on."""
    speeds = [robot.speed_m_s()]
    for _ in range(duration_ms // 10):
        robot.run(10)
        speeds.append(robot.speed_m_s())
    return max(speeds)


def test_a_person_takes_over_moves_the_arm_and_gives_it_back(robot):
    robot.begin_autonomy()
    robot.take_over()
    before = robot.position_m
    robot.ring("step_results").drain()
    robot.drive_for(400, axes=(0.0, 0.5, 0.0, 0, 0, 0))
    robot.drive_for(200)
    moved = robot.position_m - before
    assert 0.03 < moved[1] < 0.06
    assert abs(moved[0]) < 0.005
    assert abs(moved[2]) < 0.005
    steps = robot.ring("step_results").drain()
    human = [step for step in steps if bytes(step["source"]) == b"human"]
    assert len(human) >= 5
    assert sum(step["executed"][1] for step in human) * 0.025 == pytest.approx(moved[1], abs=0.006)
    np.testing.assert_allclose(
        [s["human"] for s in human], [s["executed"] for s in human], atol=0.2
    )
    assert all(bytes(step["operator"]) == b"ada" for step in human)
    assert all(bytes(step["phase"]) == b"recovery" for step in human)
    assert robot.answer_of(EndTakeover).accepted
    assert robot.mode == "autonomous"


@pytest.mark.injects(FaultCode.OPERATOR_HALF_OPEN)
def test_lost_drives_hold_then_pause_then_free_the_lease(robot):
    robot.take_over()
    robot.drive_for(200, axes=(0.0, 1.0, 0.0, 0, 0, 0))
    assert robot.speed_m_s() > 0.1
    robot.run(70)  # 90 ms after the last message: the silence may still end
    assert robot.speed_m_s() > 0.1
    robot.run(210)
    assert robot.mode == "takeover"
    assert bytes(robot.status["source"]) == b"hold"
    assert greatest_speed_m_s(robot, 280) < 0.005  # from 300 ms after the last message on
    assert robot.mode == "paused"
    assert robot.status["lease_suspended"]
    robot.run(1600)
    assert bytes(robot.status["lease_holder"]) == b""


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.injects(FaultCode.OPERATOR_LOST, FaultCode.PAGE_FROZEN)
def test_a_lost_person_holds_in_time(robot, loss):
    within_ms = bound_ms(LOSSES[loss])
    robot.take_over()
    robot.drive_for(300, axes=(0.0, 1.0, 0.0, 0, 0, 0))
    assert robot.speed_m_s() > 0.2
    if loss == "socket":
        gone = ClientGone(client_id=robot.client)
        assert messages.send(robot.ring("control_requests"), gone)
    elif loss == "dead-man":
        robot.drive(axes=(0.0, 1.0, 0.0, 0, 0, 0), deadman=False)
    # What a page that froze said last is 20 ms old already.
    robot.run(within_ms - (20 if loss == "frozen page" else 0))
    assert greatest_speed_m_s(robot, 200) < 0.005


@pytest.mark.injects(FaultCode.ACTOR_LOST)
def test_a_policy_without_a_next_chunk_holds_in_time(robot):
    robot.begin_autonomy()
    robot.offer([[0, 1.0, 0, 0, 0, 0, 0]] * 3)
    robot.run(robot.settings.task.action_delay_ns // 1_000_000 + 300)
    assert robot.speed_m_s() > 0.2  # the horizon ends now
    robot.run(bound_ms(FaultCode.ACTOR_LOST))
    assert greatest_speed_m_s(robot, 300) < 0.005


@pytest.mark.injects(FaultCode.OLD_EPOCH)
def test_a_policy_drives_by_chunks_and_an_old_epoch_is_dropped(robot):
    robot.begin_autonomy()
    before, reference_m = robot.position_m, robot.reference_m
    robot.ring("step_results").drain()
    # The arm trails its reference; a hold right after the motion would give up the rest of the way.
    robot.offer([[0, 0, 0.8, 0, 0, 0, 0]] * 3 + [[0.0] * 7] * 3)
    robot.run(640)
    assert robot.position_m[2] - before[2] == pytest.approx(0.06, abs=0.006)
    robot.run(1000)
    steps = robot.ring("step_results").drain()
    policy = [step for step in steps if bytes(step["source"]) == b"policy"]
    assert [int(step["chunk_index"]) for step in policy] == [0, 1, 2, 3, 4, 5]
    # The accounts add up: what the steps say was executed is what the reference did.
    change_m = robot.reference_m - reference_m
    executed = np.sum([step["executed"][:3] for step in steps], axis=0)
    np.testing.assert_allclose(executed * robot.settings.task.action.scale[:3], change_m, atol=1e-4)
    assert all(int(step["policy_version"]) == 3 for step in policy)
    robot.run(1000)
    before = robot.position_m
    robot.offer([[0, 0, 0.8, 0, 0, 0, 0]] * 3, epoch=int(robot.status["epoch"]) - 1)
    robot.run(500)
    np.testing.assert_allclose(robot.position_m, before, atol=0.002)


@pytest.mark.injects(FaultCode.ACTION_INVALID)
def test_an_action_that_is_no_number_is_rejected_and_the_step_says_so(robot):
    robot.begin_autonomy()
    before = robot.position_m
    robot.ring("step_results").drain()
    robot.offer([[np.nan, 0, 0.5, 0, 0, 0, 0]])
    robot.run(300)
    np.testing.assert_allclose(robot.position_m, before, atol=0.002)
    reasons = [bytes(step["reject_reason"]) for step in robot.ring("step_results").drain()]
    assert b"not_finite" in reasons


@pytest.mark.injects(FaultCode.SOFTWARE_STOP)
def test_a_stop_needs_no_lease_latches_and_survives_a_restart_of_control(robot):
    robot.begin_autonomy()
    robot.offer([[0, 1.0, 0, 0, 0, 0, 0]] * 10)
    robot.run(300)
    assert robot.speed_m_s() > 0.1
    asked_ns = robot.now_ns
    robot.ask(Stop(request_id=uuid4()), client=uuid4())
    robot.run(1000)
    assert robot.mode == "stopped"
    assert robot.speed_m_s() < 0.005
    assert [p.stopped_t_ns is None for p in robot.progress] == [True, False]
    braking_ns = robot.progress[0].braking_t_ns - asked_ns
    assert braking_ns <= bound_ms(FaultCode.SOFTWARE_STOP) * MS
    robot.kill("control")
    robot.ring("control_events").drain()
    robot.start("control")
    robot.run(300)
    assert robot.mode == "stopped"
    assert "bob" in robot.cause
    (told,) = messages.receive(robot.ring("control_events"), _EVENTS)  # the actor is told
    assert isinstance(told, messages.ModeChanged)
    assert (told.mode, told.by) == ("stopped", "bob")
    assert robot.answer_of(Clear).accepted
    robot.run(400)
    assert robot.mode == "idle", robot.cause
    before = robot.position_m
    robot.run(500)
    np.testing.assert_allclose(robot.position_m, before, atol=0.002)


@pytest.mark.injects(FaultCode.CONTROL_LOST)
def test_when_control_is_killed_the_arm_brakes_and_a_person_has_to_clear(robot):
    robot.begin_autonomy()
    robot.offer([[0, 1.0, 0, 0, 0, 0, 0]] * 10)
    robot.run(300)
    robot.kill("control")
    robot.run(bound_ms(FaultCode.CONTROL_LOST))
    assert robot.arm.read()["braking"]
    assert robot.speed_m_s() < 0.005
    robot.start("control")
    robot.run(100)
    assert robot.mode == "fault"
    assert bytes(robot.status["fault"]) == FaultCode.ARM_STOPPED.encode()
    assert robot.answer_of(Clear).accepted
    robot.run(500)
    assert robot.mode == "idle", robot.cause
    assert not robot.arm.read()["braking"]


def test_the_arm_drives_home_through_the_gate(robot):
    robot.ring("control_events").drain()
    messages.send(robot.ring("intents"), GoHome())
    robot.run(3000)
    home = np.array(robot.settings.task.reset.home_position_m)
    assert np.linalg.norm(robot.position_m - home) < 0.015
    assert robot.mode == "idle"
    assert robot.status["at_home"]


@pytest.mark.injects(FaultCode.TWO_TAKEOVERS)
def test_two_people_one_lease(robot):
    assert robot.answer_of(AcquireLease).accepted
    other = uuid4()
    request = AcquireLease(request_id=uuid4())
    robot.drive_for(100, deadman=False)
    robot.ask(request, client=other)
    robot.drive_for(100, deadman=False)
    answer = next(a for a in robot.answers if a.request_id == request.request_id)
    assert not answer.accepted
    assert "ada holds the lease" in answer.reason
