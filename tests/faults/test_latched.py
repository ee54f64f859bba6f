"""What latches (faults 14, 16, 17, 18): the arm stands, and only a person lets it go on."""

from uuid import uuid4

import numpy as np
import pytest

from robot_rl.daemon.control.arm_watch import ArmWatch
from robot_rl.schema.live.client_message import Clear, Stop
from robot_rl.schema.live.robot_message import CommandResult
from safety.faults import FaultCode, bound_ms
from safety.modes import Latch
from tests.daemon.conftest import MS
from tests.faults.cell import FaultCell

REFLEX = "reflex: joint 3 met 40 Nm"


# --- Control is killed ----------------------------------------------------------------------------


def kill_control(cell: FaultCell) -> None:
    """While the policy drives; then it is started again, as by a supervisor that forgot to latch.

    Its actor goes on offering chunks.
    """
    cell.policy_drives(actions=20)
    cell.dead, killed_ns = True, cell.now_ns
    cell.assert_holds(FaultCode.CONTROL_LOST, killed_ns)
    assert cell.host.guarded.arm.braking, "the arm's own watchdog brakes"
    cell.start_control()
    cell.run(500)
    assert cell.mode == "fault"
    assert bytes(cell.status["fault"]) == FaultCode.ARM_STOPPED.encode()
    cell.run(500)
    assert cell.hold_after_ms(killed_ns) <= bound_ms(FaultCode.CONTROL_LOST), "it moves again"


@pytest.mark.injects(FaultCode.CONTROL_LOST)
def test_without_control_the_arm_brakes_and_a_new_control_is_latched(cell: FaultCell) -> None:
    kill_control(cell)


@pytest.mark.unprotected(FaultCode.CONTROL_LOST)
def test_control_without_the_watchdog_nothing_brakes(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(cell.host.guarded.guard), "silence", lambda *_: "")
    with pytest.raises(AssertionError, match="the TCP rests after"):
        kill_control(cell)


# --- A person stops it ----------------------------------------------------------------------------


def stop(cell: FaultCell) -> None:
    """While the policy drives; control is started again afterwards."""
    cell.policy_drives(actions=20)
    pressed_ns = cell.now_ns
    cell.ask(Stop(request_id=uuid4()), client=uuid4())
    cell.run(400)
    assert cell.mode == "stopped", "it goes on"
    braking_ns = cell.progress[0].braking_t_ns
    assert braking_ns is not None
    assert braking_ns - pressed_ns <= bound_ms(FaultCode.SOFTWARE_STOP) * MS
    assert cell.hold_after_ms(pressed_ns) <= 10 + 100
    cell.dead = True
    cell.run(10)
    cell.start_control()
    cell.run(500)
    assert cell.mode == "stopped", "a restart forgot the stop"
    assert cell.speed_m_s() < 0.005


@pytest.mark.injects(FaultCode.SOFTWARE_STOP)
def test_a_stop_brakes_at_once_and_survives_a_restart(cell: FaultCell) -> None:
    stop(cell)


@pytest.mark.unprotected(FaultCode.SOFTWARE_STOP)
def test_control_a_latch_that_is_not_read_forgets_the_stop(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_rl.daemon.control.process.read_latch", lambda _: Latch())
    with pytest.raises(AssertionError, match="a restart forgot the stop"):
        stop(cell)


@pytest.mark.unprotected(FaultCode.SOFTWARE_STOP)
def test_control_a_stop_that_is_only_answered_stops_nothing(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell.loop.controller.authority, "_stop", lambda *_: None)
    with pytest.raises(AssertionError, match="it goes on"):
        stop(cell)


# --- The arm stops itself -------------------------------------------------------------------------


def blind_to_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control does not see that the arm has stopped itself."""
    look = ArmWatch.look

    def unseen(watch: ArmWatch, arm: object, *rest: object) -> None:
        if arm is not None:
            object.__setattr__(arm, "braking", False)
            object.__setattr__(arm, "fault", "")
        look(watch, arm, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(ArmWatch, "look", unseen)


def raise_a_vendor_fault(cell: FaultCell) -> None:
    """In the arm, while the policy drives: as a vendor's reflex, it brakes by itself."""
    cell.policy_drives(actions=20)
    cell.host.guarded.arm.brake(REFLEX)
    stopped_ns = cell.now_ns
    cell.run(bound_ms(FaultCode.ARM_STOPPED))
    assert cell.mode == "fault", "control has not seen it"
    assert bytes(cell.status["fault"]) == FaultCode.ARM_STOPPED.encode()
    assert REFLEX in cell.cause
    cell.run(400)
    # The target is where the arm is: leaving its brake, it will not be pulled anywhere.
    np.testing.assert_allclose(cell.reference_m, cell.position_m, atol=0.002)
    cell.run(500)
    assert cell.mode == "fault", "only a person lets it go on"
    assert cell.hold_after_ms(stopped_ns) < 200


@pytest.mark.injects(FaultCode.ARM_STOPPED)
def test_a_vendor_stop_is_seen_in_time_and_the_target_is_where_the_arm_is(cell: FaultCell) -> None:
    raise_a_vendor_fault(cell)
    assert cell.answer_of(Clear).accepted
    before_m = cell.position_m
    cell.run(500)
    assert cell.mode == "idle"
    assert cell.way_m(before_m) < 0.002, "clearing starts no motion"


@pytest.mark.unprotected(FaultCode.ARM_STOPPED)
def test_control_a_watch_that_sees_no_stop_latches_nothing(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind_to_stops(monkeypatch)
    with pytest.raises(AssertionError, match="control has not seen it"):
        raise_a_vendor_fault(cell)


def answer_to_a_clear(cell: FaultCell) -> CommandResult:
    """It may come a second later: the arm is asked, and waited for."""
    request = Clear(request_id=uuid4())
    cell.ask(request)
    cell.run(1100)
    (answer,) = (each for each in cell.answers if each.request_id == request.request_id)
    return answer


def clear_too_early(cell: FaultCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's fault lasts: the arm refuses to leave its brake."""
    cell.policy_drives(actions=20)
    arm = cell.host.guarded.arm
    monkeypatch.setattr(arm, "clear", lambda: REFLEX)
    arm.brake(REFLEX)
    cell.run(400)
    assert cell.mode in ("fault", "autonomous")
    if cell.mode == "autonomous":  # with the protection off; a person stops it
        cell.ask(Stop(request_id=uuid4()))
        cell.run(400)
    answer = answer_to_a_clear(cell)
    assert not answer.accepted, "it was cleared"
    assert REFLEX in answer.reason
    assert cell.mode == "fault"
    assert arm.braking


@pytest.mark.injects(FaultCode.CLEARED_EARLY)
def test_a_clear_is_refused_with_the_cause_while_it_lasts(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear_too_early(cell, monkeypatch)


@pytest.mark.unprotected(FaultCode.CLEARED_EARLY)
def test_control_without_a_look_at_the_arm_it_is_cleared(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind_to_stops(monkeypatch)
    with pytest.raises(AssertionError, match="it was cleared"):
        clear_too_early(cell, monkeypatch)
