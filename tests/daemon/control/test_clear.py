"""Clearing a latch: refused while its cause persists, never the start of motion (fault 17)."""

from uuid import uuid4

import numpy as np
import pytest

from robot_rl.schema.live.client_message import Clear, Stop
from safety.faults import FaultCode
from tests.daemon.control.stand import MS, ControlStand

REFLEX = "reflex: joint 3 met 40 Nm"


@pytest.fixture
def stand() -> ControlStand:
    return ControlStand()


def brake(stand: ControlStand) -> None:
    """The arm stops itself, and control has seen it."""
    stand.measure(braking=True, fault=REFLEX)
    stand.run(20)
    assert stand.mode == "fault"


def test_a_clear_waits_until_the_arm_has_left_its_brake(stand: ControlStand) -> None:
    brake(stand)
    asked = stand.ask(Clear)
    stand.run(300)
    assert stand.mode == "fault", "the arm still brakes"
    assert stand.clears_sent == 1
    assert stand.answer(asked) is None
    stand.begin_autonomy()
    assert stand.mode == "fault", "nothing begins meanwhile"
    stand.measure(braking=False, fault="")
    stand.run(10)
    answer = stand.answer(asked)
    assert answer is not None
    assert answer.accepted
    assert stand.mode == "idle"


@pytest.mark.injects(FaultCode.CLEARED_EARLY, FaultCode.ARM_STOPPED)
def test_an_arm_that_does_not_leave_its_brake_refuses_the_clear_with_its_cause(
    stand: ControlStand,
) -> None:
    brake(stand)
    asked = stand.ask(Clear)
    stand.run(1500)
    answer = stand.answer(asked)
    assert answer is not None
    assert not answer.accepted
    assert REFLEX in answer.reason
    assert stand.mode == "fault"
    again = stand.ask(Clear)
    stand.measure(braking=False, fault="")
    stand.run(200)
    later = stand.answer(again)
    assert later is not None
    assert later.accepted, "once the cause has gone"


def test_a_reflex_right_after_a_clear_is_latched_in_the_next_tick(stand: ControlStand) -> None:
    brake(stand)
    stand.ask(Clear)
    stand.run(160)
    stand.measure(braking=False, fault="")
    stand.run(20)
    assert stand.mode == "idle"
    stand.begin_autonomy()
    assert stand.mode == "autonomous"
    stand.measure(braking=True, fault="reflex: joint 5")
    stand.tick()
    assert stand.mode == "fault"
    assert "joint 5" in stand.cause


@pytest.mark.injects(FaultCode.CLEARED_EARLY)
def test_a_clear_is_refused_while_the_arm_still_moves(stand: ControlStand) -> None:
    stand.begin_autonomy()
    stand.measure(twist=np.array([0.1, 0, 0, 0, 0, 0]))
    stand.tick(Stop(request_id=uuid4()))
    asked = stand.ask(Clear)
    answer = stand.answer(asked)
    assert answer is not None
    assert not answer.accepted
    assert "still moves" in answer.reason
    assert stand.mode == "stopped"
    stand.measure(twist=np.zeros(6))
    stand.tick()
    stand.ask(Clear)
    assert stand.mode == "idle"


@pytest.mark.parametrize("lost", ["nothing arrives", "not a number"])
@pytest.mark.injects(FaultCode.CLEARED_EARLY)
def test_a_clear_is_refused_without_usable_measurements(stand: ControlStand, lost: str) -> None:
    stand.tick(Stop(request_id=uuid4()))
    if lost == "nothing arrives":
        stand.arm = None
    else:
        stand.measure(position_m=np.full(3, np.nan))
    stand.tick()
    asked = stand.ask(Clear)
    answer = stand.answer(asked)
    assert answer is not None
    assert not answer.accepted
    assert "measurements" in answer.reason
    assert stand.mode == "stopped"


def test_a_stop_during_a_clear_keeps_the_robot_stopped(stand: ControlStand) -> None:
    brake(stand)
    stand.tick(Stop(request_id=uuid4()))
    assert stand.mode == "stopped"
    asked = stand.ask(Clear)
    stand.run(50)
    stand.tick(Stop(request_id=uuid4()))
    answer = stand.answer(asked)
    assert answer is not None
    assert not answer.accepted
    assert "stopped again" in answer.reason
    stand.measure(braking=False, fault="")
    stand.run(1500)
    assert stand.mode == "stopped"


def test_there_is_one_clear_at_a_time(stand: ControlStand) -> None:
    brake(stand)
    first = stand.ask(Clear)
    second = stand.ask(Clear)
    assert stand.answer(first) is None
    answer = stand.answer(second)
    assert answer is not None
    assert not answer.accepted


def test_clearing_what_is_not_latched_is_refused(stand: ControlStand) -> None:
    answer = stand.answer(stand.ask(Clear))
    assert answer is not None
    assert "nothing to clear" in answer.reason


def test_the_reference_is_at_the_arm_before_it_leaves_its_brake(stand: ControlStand) -> None:
    """The arm may have been pushed while it braked: clearing must not pull it back."""
    stand.run(100)
    brake(stand)
    moved = np.array([0.45, 0.03, 0.2])
    stand.measure(position_m=moved)
    stand.run(400)
    stand.ask(Clear)
    while not stand.clears_sent:
        stand.run(5)
        assert stand.now_ns < 1500 * MS
    assert stand.last is not None
    np.testing.assert_allclose(stand.last.commands[0].position_m, moved, atol=1e-4)


def test_a_fault_during_a_clear_keeps_the_robot_latched(stand: ControlStand) -> None:
    """The fault came after the person had judged the latch: it has to be judged as well."""
    brake(stand)
    asked = stand.ask(Clear)
    stand.run(50)
    stand.tick(late_ns=stand.controller.settings.freeze_ns)
    answer = stand.answer(asked)
    assert answer is not None
    assert not answer.accepted
    assert "Control stood still" in answer.reason
    stand.measure(braking=False, fault="")
    stand.run(1500)
    assert stand.mode == "fault"
    stand.ask(Clear)
    assert stand.mode == "idle", "the next clear knows of it"
