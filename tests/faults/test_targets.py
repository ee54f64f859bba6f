"""Targets far away and outside, and a limiter that fails (faults 10, 11, 13), as the simulator
measures the arm.
"""

from typing import Any

import numpy as np
import pytest

from robot_rl.daemon import messages
from robot_rl.daemon.messages import GoHome
from safety.faults import FaultCode
from safety.tracking import Tracker
from safety.vocabulary import Limit
from tests.faults.cell import FULL, FaultCell
from tests.faults.conftest import MakeCell

CORNERS = (0.30, -0.22, 0.40), (0.55, 0.22, 0.12)
PERIOD_S = 0.005
SPEED = 0.5
"""Of the simulated cell, m/s."""
SIDE_M, MARGIN_M = 0.25, 0.02
SWING = 1.1
"""An arm that follows a reference overshoots its speed by less than this factor."""


def jump_across(cell: FaultCell) -> None:
    """The target jumps from one end of the workspace to the other, before the arm is there."""
    goals = [*CORNERS, *CORNERS]
    assert np.linalg.norm(np.subtract(*CORNERS)) > 0.5
    commanded: list[np.ndarray] = []
    cell.moved.append(lambda _: commanded.append(cell.reference_m))
    begin = len(cell.speeds)
    for goal in goals:
        messages.send(cell.ring("intents"), GoHome(position_m=goal))
        cell.run(500)
    fastest = max(speed for _, speed in cell.speeds[begin:])
    assert 0.3 < fastest <= SWING * SPEED, f"the TCP moved at {fastest:.2f} m/s"
    # Five physics steps are two periods of control.
    step_m = np.linalg.norm(np.diff(commanded[::5], axis=0), axis=1).max()
    asked = step_m / (2 * PERIOD_S)
    assert asked <= SPEED * 1.001, f"the reference moved at {asked:.2f} m/s"


@pytest.mark.injects(FaultCode.TARGET_JUMP)
def test_a_target_that_jumps_across_the_workspace_exceeds_no_limit(cell: FaultCell) -> None:
    jump_across(cell)


@pytest.mark.unprotected(FaultCode.TARGET_JUMP)
def test_control_without_the_speed_limit_it_is_exceeded(make_cell: MakeCell) -> None:
    loose = {"speed_m_s": 2.0, "acceleration_m_s2": 20.0, "jerk_m_s3": 4000.0}
    with pytest.raises(AssertionError, match="moved at"):
        jump_across(make_cell(limits=loose))


def push_out(cell: FaultCell) -> None:
    """The policy asks for full speed towards the side of the workspace, for three seconds."""
    seen: list[np.ndarray] = []
    cell.moved.append(lambda _: seen.append(cell.position_m))
    cell.begin_autonomy()
    for _ in range(30):
        cell.offer([FULL] * 8)
        cell.run(100)
    reached_m = max(float(position[1]) for position in seen)
    assert reached_m > 0.2, "it came to the wall"
    assert reached_m <= SIDE_M + MARGIN_M, f"the TCP was {reached_m:.3f} m aside"


@pytest.mark.injects(FaultCode.TARGET_OUTSIDE)
def test_a_target_outside_leaves_the_arm_within_the_margin(cell: FaultCell) -> None:
    push_out(cell)
    assert Limit.WORKSPACE in cell.loop.controller.limits


@pytest.mark.unprotected(FaultCode.TARGET_OUTSIDE)
def test_control_without_the_box_the_arm_leaves_it(make_cell: MakeCell) -> None:
    with pytest.raises(AssertionError, match="m aside"):
        push_out(make_cell(limits={"workspace_max_m": (0.60, 0.45, 0.45)}))


class Broken:
    """A solver that finds nothing."""

    def reset(self) -> None: ...

    def update(self, *_: object) -> int:
        return -1


def break_the_solver(cell: FaultCell) -> None:
    """While the policy drives at full speed."""
    cell.policy_drives(actions=20)
    channel = cell.loop.controller.channels[0]
    channel.gate._tracker.solver = Broken()  # pyright: ignore[reportAttributeAccessIssue]
    broken_ns = cell.now_ns
    cell.run(5)
    assert Limit.SOLVER_FALLBACK in channel.verdict.limits, "in the first tick"
    cell.run(45)
    stood_m = cell.reference_m
    cell.run(100)
    np.testing.assert_allclose(cell.reference_m, stood_m, atol=1e-6, err_msg="it runs on")
    cell.run(600)
    # Longer than a hold takes: without a solver the reference keeps what it led by.
    assert cell.hold_after_ms(broken_ns) <= 600


@pytest.mark.injects(FaultCode.LIMITER_FAILED)
def test_a_solver_that_finds_nothing_is_braked_from_the_next_tick_on(cell: FaultCell) -> None:
    break_the_solver(cell)


@pytest.mark.unprotected(FaultCode.LIMITER_FAILED)
def test_control_without_braking_the_reference_runs_on(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_on(tracker: Any) -> None:
        tracker.position_m = tracker.position_m + tracker.velocity[:3] * tracker.period_s

    monkeypatch.setattr(Tracker, "_brake_without_solver", run_on)
    with pytest.raises(AssertionError, match="it runs on"):
        break_the_solver(cell)
