"""What `bench faults` says of a cell with a protection switched off: the row is not held.

The cell is the one of these tests, on virtual time. Its arm and its commands are looked at and
judged as the benchmark does it in real time; with the protection on, the same figures are held.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks import faults, faults_data
from benchmarks.fault_cell import FaultCell as BenchCell
from benchmarks.fault_looks import Command, Looks
from benchmarks.fault_recording import RecordingCell
from benchmarks.faults_answers import back_ticks
from benchmarks.faults_data import Outboxes
from benchmarks.faults_limits import CORNERS, beyond_margin_mm, braked_in_tick, over_limits
from benchmarks.faults_policy import FULL, driven_ticks
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control.chunk import ChunkPlan, PlannedAction
from robot_rl.daemon.settings import DaemonSettings
from safety.faults import FaultCode
from safety.tracking import Tracker
from tests.daemon.conftest import MS
from tests.faults.cell import FaultCell
from tests.faults.conftest import MakeCell
from tests.faults.test_targets import Broken

BACK = [-each for each in FULL]
STEP_MS = 100


@dataclass(frozen=True, slots=True)
class Watched:
    """The part of the benchmark's cells that is judged; `settings` are of the shipped cell."""

    settings: DaemonSettings
    looks: Looks

    @classmethod
    def of(cls, cell: FaultCell, shipped: FaultCell | None = None) -> Any:
        looks = Looks(arm=cell.arm, command=cell.command)
        cell.moved.append(lambda _: looks.look())
        return cls((shipped or cell).settings, looks)


def held(code: FaultCode, *figures: float) -> bool:
    """Whether the row's first figures are within their bounds."""
    row = faults.rows()[code]
    pairs = zip(row.figures, figures, strict=False)
    return all(figure.holds(value) for figure, value in pairs)


def speak_of_an_old_epoch(cell: FaultCell) -> bool:
    seen = Watched.of(cell)
    cell.begin_autonomy()
    cell.offer([FULL] * 8, epoch=int(cell.status["epoch"]) - 1)
    cell.run(500)
    return held(FaultCode.OLD_EPOCH, driven_ticks(cast(BenchCell, seen)))


def test_a_plan_blind_to_epochs_is_not_held(
    make_cell: MakeCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert speak_of_an_old_epoch(make_cell())
    at = ChunkPlan.at

    def of_any(plan: ChunkPlan, t_ns: int, epoch: int | None) -> PlannedAction | None:
        found = at(plan, t_ns, None)
        return found and replace(found, epoch=found.epoch if epoch is None else epoch)

    monkeypatch.setattr(ChunkPlan, "at", of_any)
    assert not speak_of_an_old_epoch(make_cell())


def answer_late(cell: FaultCell) -> bool:
    cell.policy_drives(actions=3)
    due_ns = cell.now_ns // (STEP_MS * MS) * STEP_MS * MS + cell.settings.task.action_delay_ns
    cell.run(7 * STEP_MS + 20)
    seen = Watched.of(cell)
    cell.offer([BACK] * 6 + [[0.0] * 7] + [FULL] * 2, valid_from_ns=due_ns)
    cell.run(500)
    return held(FaultCode.INFERENCE_SLOW, back_ticks(cast(RecordingCell, seen)))


def test_an_answer_that_begins_when_it_comes_is_not_held(
    make_cell: MakeCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer_late(make_cell())
    see = ChunkPlan.see
    cell = make_cell()

    def from_now(plan: ChunkPlan, chunk: np.void) -> None:
        late_ns = cell.now_ns - int(chunk["valid_from_ns"])
        if late_ns > STEP_MS * MS:
            chunk["valid_from_ns"] += late_ns // (STEP_MS * MS) * STEP_MS * MS
        see(plan, chunk)

    monkeypatch.setattr(ChunkPlan, "see", from_now)
    assert not answer_late(cell)


def jump(cell: FaultCell, shipped: FaultCell) -> tuple[float, ...]:
    messages.send(cell.ring("intents"), messages.GoHome(position_m=CORNERS[0]))
    cell.run(3000)
    assert cell.mode == "idle"
    seen = Watched.of(cell, shipped)
    messages.send(cell.ring("intents"), messages.GoHome(position_m=CORNERS[1]))
    cell.run(1500)
    return over_limits(cast(BenchCell, seen))


def test_a_jump_without_its_limits_is_not_held(make_cell: MakeCell) -> None:
    """Where the clip acts, the reference is held back at once: that is not held with it either."""
    shipped = make_cell()
    speed, acceleration, jerk, _, tcp = jump(shipped, shipped)
    assert max(speed, acceleration, jerk, tcp) <= 1.001
    loose = {"speed_m_s": 2.0, "acceleration_m_s2": 20.0, "jerk_m_s3": 4000.0}
    assert not held(FaultCode.TARGET_JUMP, *jump(make_cell(limits=loose), shipped)[:3])


def push_out(cell: FaultCell, shipped: FaultCell) -> bool:
    seen = Watched.of(cell, shipped)
    cell.begin_autonomy()
    for _ in range(20):
        cell.offer([FULL] * 8)
        cell.run(100)
    return held(FaultCode.TARGET_OUTSIDE, beyond_margin_mm(cast(BenchCell, seen)))


def test_a_target_outside_without_the_box_is_not_held(make_cell: MakeCell) -> None:
    shipped = make_cell()
    assert push_out(shipped, shipped)
    assert not push_out(make_cell(limits={"workspace_max_m": (0.60, 0.45, 0.45)}), shipped)


def break_the_solver(cell: FaultCell) -> bool:
    seen = Watched.of(cell)
    cell.policy_drives(actions=20)
    gate = cell.loop.controller.channels[0].gate
    gate._tracker.solver = Broken()  # pyright: ignore[reportAttributeAccessIssue]
    broken_ns = cell.now_ns + 1
    cell.run(300)
    return held(FaultCode.LIMITER_FAILED, braked_in_tick(list(seen.looks.runs()), broken_ns))


def test_a_reference_that_runs_on_without_a_solver_is_not_held(
    make_cell: MakeCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert break_the_solver(make_cell())

    def run_on(tracker: Any) -> None:
        tracker.position_m = tracker.position_m + tracker.velocity[:3] * tracker.period_s

    monkeypatch.setattr(Tracker, "_brake_without_solver", run_on)
    assert not break_the_solver(make_cell())


def silence_the_critic(cell: FaultCell, *, required: bool) -> bool:
    cell.set_critic(required=required, threshold=0.5)
    seen = Watched.of(cell)
    cell.begin_autonomy()
    for k in range(8):
        cell.offer([FULL], risk=0.1 if k < 4 else topics.NO_CRITIC)
        cell.run(STEP_MS)
    failed_ns = cell.now_ns - 4 * STEP_MS * MS
    decisions = seen.looks.hold_ms(failed_ns) / STEP_MS
    return held(FaultCode.CRITIC_INVALID, decisions)


def test_a_critic_that_nobody_misses_is_not_held(make_cell: MakeCell) -> None:
    assert silence_the_critic(make_cell(), required=True)
    assert not silence_the_critic(make_cell(), required=False)


@pytest.mark.parametrize("jumps", [False, True])
def test_a_control_that_lived_by_the_wall_clock_is_not_held(
    make_cell: MakeCell, jumps: bool
) -> None:
    cell = make_cell()
    cell.policy_drives(actions=20)
    seen = Watched.of(cell)
    now_ns = cell.hand_clock.now_ns
    if jumps:
        cell.hand_clock.now_ns = lambda: now_ns() + 3600 * 10**9  # of control; the arm has its own
    cell.run(300)
    changed = sum(each.hold for each in seen.looks.commands) + (cell.mode != "autonomous")
    assert held(FaultCode.WALL_CLOCK_JUMP, changed) != jumps


@pytest.mark.parametrize("waits_ms", [0, 3])
def test_a_control_that_waits_for_the_disk_is_not_held(cell: FaultCell, waits_ms: int) -> None:
    looks = Looks(arm=cell.arm, command=cell.command)
    late = [waits_ms * MS * (k % 20 == 0) for k in range(200)]
    looks.commands += [Command(k, k * 5 * MS + late[k], np.zeros(3), False) for k in range(200)]
    assert held(FaultCode.DISK_FULL, looks.jitter_ms(5 * MS)) == (waits_ms == 0)


def test_a_disk_that_loses_what_it_said_to_have_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial(folder: str) -> bool:
        (tmp_path / folder).mkdir()
        row = faults.rows()[FaultCode.POWER_CUT]
        return held(FaultCode.POWER_CUT, *row.trial(Outboxes(tmp_path / folder)))

    assert trial("kept")
    whole: Callable[[Path], int] = faults_data.log_bytes
    monkeypatch.setattr(faults_data, "log_bytes", lambda path: whole(path) // 8)
    assert not trial("lost")
