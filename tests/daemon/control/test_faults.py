"""Faults that control itself has to see: it stood still, or its measurements are no numbers."""

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.daemon.control.settings import control_settings
from robot_rl.daemon.messages import GoHome
from robot_rl.schema.live.client_message import Clear, Stop
from safety import modes
from safety.collision import Collision
from safety.faults import FaultCode
from tests.daemon.control.stand import MS, START, ControlStand


@pytest.mark.parametrize(("frozen_ms", "latches"), [(50, True), (40, False)])
@pytest.mark.injects(FaultCode.CONTROL_FROZEN)
def test_a_control_that_stood_still_for_50_ms_latches_without_catching_up(
    frozen_ms: int, latches: bool
) -> None:
    """Frozen right after a tick it is late by a period less."""
    stand = ControlStand(freeze_ns=50 * MS)
    stand.begin_autonomy()
    stand.tick(late_ns=(frozen_ms - 5) * MS)
    assert stand.mode == ("fault" if latches else "autonomous")
    assert ("Control stood still for 50 ms" in stand.cause) is latches


@pytest.mark.parametrize(
    "field",
    [
        *("q_rad", "dq_rad_s", "position_m", "quaternion_wxyz", "twist", "wrench", "gripper_m"),
        "jacobian",
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_measurements_that_stay_non_finite_latch_within_50_ms(field: str, value: float) -> None:
    stand = ControlStand()
    stand.begin_autonomy()
    stand.run(50)
    sound = getattr(START, field)
    stand.measure(**{field: np.full_like(sound, value) if isinstance(sound, np.ndarray) else value})
    stand.run(50)
    assert stand.mode == "fault"
    assert f"not finite: {field}" in stand.cause


def test_one_bad_measurement_is_ridden_out() -> None:
    stand = ControlStand()
    stand.begin_autonomy()
    for _ in range(10):
        stand.measure(position_m=np.full(3, np.nan))
        stand.tick()
        stand.arm = START
        stand.run(20)
    assert stand.mode == "autonomous"


def test_a_shape_that_contradicts_the_arm_latches_until_they_agree_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may agree at the start, and not where the arm has come to."""
    limits = control_settings(load_cell("simulation"), load_task("lift_cube")).arms[0].limits
    assert limits.collision is not None
    shape = Collision(limits.collision, 1.0, np.ones(7))
    agrees = shape.jacobian(START.q_rad, START.position_m)
    elsewhere = shape.jacobian(START.q_rad + 0.05 * np.eye(7)[1], START.position_m)
    monkeypatch.setattr("tests.daemon.control.stand.without_shapes", lambda wanted: wanted)
    stand = ControlStand(replace(START, jacobian=agrees))
    stand.begin_autonomy()
    stand.measure(jacobian=elsewhere)
    stand.run(10)
    stand.measure(jacobian=agrees)
    stand.run(50)
    assert stand.mode == "autonomous", "a moment is ridden out"
    stand.measure(jacobian=elsewhere)
    stand.run(50)
    assert stand.mode == "fault"
    assert "the axis of joint 3 is not where" in stand.cause
    stand.ask(Clear)
    assert stand.mode == "fault"
    stand.measure(jacobian=agrees)
    stand.run(10)
    stand.ask(Clear)
    assert stand.mode == "idle"


@pytest.mark.parametrize("opening_m", [0.08, 0.0, np.nan])
def test_nothing_is_ordered_of_the_gripper_at_the_start(opening_m: float) -> None:
    """A reading that is no number opened it."""
    stand = ControlStand(replace(START, gripper_m=opening_m, gripper_target_m=opening_m))
    assert stand.tick().commands[0].gripper_hold


def test_a_stop_holds_the_gripper_and_its_clear_orders_nothing() -> None:
    stand = ControlStand()
    stand.controller.channels[0].gate.gripper_held = False  # as after an order to close
    stand.begin_autonomy()
    assert not stand.tick().commands[0].gripper_hold
    assert stand.tick(Stop(request_id=uuid4())).commands[0].gripper_hold
    stand.ask(Clear)
    assert stand.mode == "idle"
    stand.begin_autonomy()
    assert stand.tick().commands[0].gripper_hold


def test_what_is_latched_late_in_a_tick_is_written_and_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand = ControlStand()
    authority = stand.controller.authority
    stand.run(50)

    def late(now_ns: int) -> None:
        authority.fault(FaultCode.CONTROL_FROZEN, now_ns, late_ms=50.0)
        authority.out.clear_arm = True
        authority.out.go_home = GoHome()

    monkeypatch.setattr(stand.controller, "_drive_home", late)
    done = stand.tick()
    assert [latch.fault for latch in done.out.latch] == [FaultCode.CONTROL_FROZEN]
    assert modes.HoldStill() in done.out.effects
    assert done.clear_arms
    assert done.out.go_home == GoHome()
