"""Faults that the limits meet: a target that jumps, one outside the workspace, no solution."""

import itertools
import signal
import time

import numpy as np

from benchmarks.fault_cell import FaultCell, eventually
from benchmarks.fault_looks import Command
from benchmarks.fault_trial import Figure, Row, Spoilt
from robot_rl.daemon.messages import GoHome
from safety.faults import FAULTS, FaultCode
from safety.standstill import at_rest

CORNERS = (0.30, -0.22, 0.30), (0.55, 0.22, 0.30)
"""Half a metre apart: the simulated cell's workspace has no room for a metre."""
FAR_M, JUMP_S = 1.0, 1.5
NEAR_CLIP_M = 0.001
"""So near to its clip a reference may have been held back: the arm is not seen in the same tick."""
PUSH_S, SIDE_M = 2.0, 0.05
SAME = 1e-3
"""Share of a limit: less is rounding."""


def _target_jumped(cell: FaultCell) -> tuple[float, ...]:
    """From one end of the workspace the target jumps to a metre away, beyond the other end."""
    here, there = np.array(CORNERS)
    cell.send("intents", GoHome(position_m=CORNERS[0]))
    eventually(lambda: cell.mode == "resetting", "it does not set out", 3.0)
    eventually(lambda: cell.mode == "idle", "it does not reach the corner", 10.0)
    eventually(lambda: at_rest(cell.speed_m_s()), "it does not rest", 3.0)
    x, y, z = here + (there - here) * (FAR_M / np.linalg.norm(there - here))
    cell.send("intents", GoHome(position_m=(float(x), float(y), float(z))))
    cell.watch(JUMP_S)
    return over_limits(cell)


def over_limits(cell: FaultCell) -> tuple[float, ...]:
    """Over their limits, the largest: speed of the reference; acceleration and jerk where its clip
    leaves it free; acceleration where the clip holds it back; acceleration of the measured TCP.
    """
    limits, looks = cell.settings.cell.limits, cell.looks
    assert limits is not None
    period_s = cell.settings.control_period_ns * 1e-9
    free, clipped = np.zeros(3), np.zeros(3)
    for run in looks.runs():
        moved = np.array([command.position_m for command in run])
        held = looks.leads(run) > min(limits.clip_negative_m + limits.clip_positive_m) - NEAR_CLIP_M
        for order in range(3):
            if len(moved) < 2:
                break
            moved = np.diff(moved, axis=0) / period_s
            held = held[1:] | held[:-1]
            size = np.linalg.norm(moved, axis=1)
            free[order] = max(free[order], size[~held].max(initial=0.0))
            clipped[order] = max(clipped[order], size[held].max(initial=0.0))
    speed = max(free[0], clipped[0]) / limits.speed_m_s
    if speed < 0.3:
        raise Spoilt("the jump moved nothing")
    most = limits.acceleration_m_s2
    measured = looks.acceleration_m_s2() / most
    return speed, free[1] / most, free[2] / limits.jerk_m_s3, clipped[1] / most, measured


def _target_outside(cell: FaultCell) -> tuple[float, ...]:
    """The policy asks for full speed towards a side of the workspace, and on."""
    cell.follow()
    cell.watch(PUSH_S)
    cell.end_policy()
    return (beyond_margin_mm(cell),)


def beyond_margin_mm(cell: FaultCell) -> float:
    """How far the TCP came out of the workspace, less the margin. Raises Spoilt."""
    limits = cell.settings.cell.limits
    assert limits is not None
    seen = np.array([sample.position_m for sample in cell.looks.samples])
    low, high = np.array(limits.workspace_min_m), np.array(limits.workspace_max_m)
    beyond_m = float(np.maximum(low - seen, seen - high).max())
    if beyond_m < -SIDE_M:
        raise Spoilt("it did not come to the side")
    return (beyond_m - limits.margin_m) * 1e3


def _limiter_failed(cell: FaultCell) -> tuple[float, ...]:
    """In which tick after the solver's end the reference is braked, and whether it then rests."""
    cell.follow()
    before_ns = cell.broken_ns.value
    cell.looks.watch(0.05)
    cell.signal("control", signal.SIGUSR1)
    cell.looks.go_on(0.4)
    broken_ns = cell.broken_ns.value
    cell.end_policy()
    cell.looks.go_on(0.8)
    rests_ms = cell.hold_ms(broken_ns)
    cell.signal("control", signal.SIGUSR2)
    if broken_ns == before_ns:
        raise Spoilt("the solver was not broken")
    eventually(lambda: cell.broken_ns.value != broken_ns, "the solver was not mended", 3.0)
    time.sleep(0.05)
    return float(braked_in_tick(list(cell.looks.runs()), broken_ns)), rests_ms


def braked_in_tick(runs: list[list[Command]], broken_ns: int) -> float:
    """The first tick after `broken_ns` in which the reference is slower than before, from 1 on;
    infinite: in none. Raises Spoilt.
    """
    for run in runs:
        first = next((k for k, each in enumerate(run) if each.t_ns >= broken_ns), None)
        if first is None:
            continue
        if first < 2:
            raise Spoilt("the tick before the fault was not seen")
        steps = [np.linalg.norm(b.position_m - a.position_m) for a, b in itertools.pairwise(run)]
        before = steps[first - 2]
        slower = [k for k, step in enumerate(steps[first - 1 :]) if step < before * 0.99]
        return slower[0] + 1.0 if slower else float("inf")
    raise Spoilt("no tick after the fault was seen")


_TICKS = FAULTS[FaultCode.LIMITER_FAILED].bound
assert _TICKS is not None

ROWS = {
    FaultCode.TARGET_JUMP: Row(
        trial=_target_jumped,
        figures=tuple(
            Figure(what=f"{what}, over the limit", unit="", bound=1.0 + SAME)
            for what in (
                "speed of the reference",
                "acceleration of the reference that is free",
                "jerk of the reference that is free",
                "acceleration of the reference that its clip holds back",
                "acceleration of the TCP, as measured",
            )
        ),
    ),
    FaultCode.TARGET_OUTSIDE: Row(
        trial=_target_outside,
        figures=(Figure(what="TCP beyond the margin (negative: within)", unit="mm", bound=0.0),),
    ),
    FaultCode.LIMITER_FAILED: Row(
        trial=_limiter_failed,
        figures=(
            Figure(what="solver finds nothing → braked, in tick", unit="", bound=_TICKS.count),
            Figure(what="solver finds nothing → TCP rests", unit="ms", bound=600.0),
        ),
    ),
}
