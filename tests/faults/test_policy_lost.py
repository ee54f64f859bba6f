"""The policy's chunks end, come late, are void or are no numbers (faults 5, 7, 8, 9)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from robot_rl.daemon.control.chunk import ChunkPlan, PlannedAction
from safety.faults import FaultCode, bound_ms
from safety.vocabulary import Reject
from tests.daemon.conftest import MS
from tests.faults.cell import FAST, FULL, FaultCell

STEP_MS = 100
BACK = [0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0]

type Find = Callable[[ChunkPlan, int, int | None], PlannedAction | None]


def steps(cell: FaultCell) -> list[np.void]:
    return list(cell.ring("step_results").drain())


def last_action_for_ever(find: Find) -> Find:
    """A plan that repeats the last action of its newest chunk once that has ended."""

    def at(plan: ChunkPlan, t_ns: int, epoch: int | None) -> PlannedAction | None:
        found = find(plan, t_ns, epoch)
        held = plan._chunks[-1] if plan._chunks else None
        if found is not None or held is None:
            return found
        last = find(plan, held.ends_ns - 1, epoch)
        begin_ns = t_ns // (STEP_MS * MS) * STEP_MS * MS
        return last and replace(
            last,
            observed_ns=begin_ns,
            valid_from_ns=begin_ns,
            valid_until_ns=begin_ns + STEP_MS * MS,
        )

    return at


@pytest.mark.injects(FaultCode.ACTOR_LOST)
def test_without_a_next_chunk_it_holds_where_the_last_one_ends(cell: FaultCell) -> None:
    cell.policy_drives(actions=3)  # its horizon ends now
    cell.assert_holds(FaultCode.ACTOR_LOST, cell.now_ns)


@pytest.mark.unprotected(FaultCode.ACTOR_LOST)
def test_control_a_plan_that_repeats_its_last_action_drives_on(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChunkPlan, "at", last_action_for_ever(ChunkPlan.at))
    cell.policy_drives(actions=3)
    with pytest.raises(AssertionError, match="the TCP rests after inf"):
        cell.assert_holds(FaultCode.ACTOR_LOST, cell.now_ns)


def think_ten_times_as_long(cell: FaultCell) -> list[int]:
    """A policy that plans 9 steps answers after 7 in place of 0.7, then not at all; which of its
    actions were done. Those still due go forward, those whose time has passed would go back.
    """
    cell.policy_drives(actions=3)
    asked_ns = cell.now_ns // (STEP_MS * MS) * STEP_MS * MS
    due_ns = asked_ns + cell.settings.task.action_delay_ns
    cell.run(7 * STEP_MS + 20)
    assert cell.speed_m_s() < 0.005, "it holds while nothing is decided"
    steps(cell)
    before_m = cell.position_m
    chunk_id = cell.offer([BACK] * 7 + [FULL] * 2, valid_from_ns=due_ns)
    record = cell.chunk.read()
    record["observation_ns"] = asked_ns
    cell.chunk.write(record)
    cell.run(500)
    assert cell.position_m[1] > before_m[1] + 0.01, "only what is still due is done"
    assert cell.speed_m_s() < 0.005
    done = [each for each in steps(cell) if int(each["chunk_id"]) == chunk_id]
    return [int(each["chunk_index"]) for each in done if bytes(each["source"]) == b"policy"]


@pytest.mark.injects(FaultCode.INFERENCE_SLOW)
def test_an_answer_that_comes_ten_times_as_late_replays_nothing(cell: FaultCell) -> None:
    assert think_ten_times_as_long(cell) == [7, 8]


@pytest.mark.unprotected(FaultCode.INFERENCE_SLOW)
def test_control_a_chunk_that_begins_when_it_comes_is_replayed(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    see = ChunkPlan.see

    def from_now(plan: ChunkPlan, chunk: np.void) -> None:
        late_ns = cell.now_ns - int(chunk["valid_from_ns"])
        if late_ns > STEP_MS * MS:
            chunk["valid_from_ns"] += late_ns // (STEP_MS * MS) * STEP_MS * MS
        see(plan, chunk)

    monkeypatch.setattr(ChunkPlan, "see", from_now)
    with pytest.raises(AssertionError, match="only what is still due is done"):
        think_ten_times_as_long(cell)


def answer_no_number(cell: FaultCell, value: float) -> None:
    """It drives at full speed, then one entry of each action is `value`."""
    cell.policy_drives(actions=20)
    cell.run(-cell.now_ns // MS % STEP_MS)  # decided at T_k, so that it is there before its window
    steps(cell)
    cell.offer([[0.0, value, 0.0, 0.0, 0.0, 0.0, 0.0]] * 8)
    begin_ns = cell.now_ns
    controller = cell.loop.controller
    cell.run(cell.settings.task.action_delay_ns // MS + 5)
    rejected = controller.channels[0].verdict.reject
    assert rejected is Reject.NOT_FINITE, "in the first tick of its time"
    cell.run(300)
    since_ns = begin_ns + cell.settings.task.action_delay_ns
    assert cell.hold_after_ms(since_ns) <= bound_ms(FaultCode.ACTOR_LOST)
    assert bytes(steps(cell)[-1]["reject_reason"]) == b"not_finite"
    assert np.isfinite(cell.command.read()["position"]).all()


@pytest.mark.injects(FaultCode.ACTION_INVALID)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_no_number_is_rejected_at_once(cell: FaultCell, value: float) -> None:
    answer_no_number(cell, value)


@pytest.mark.unprotected(FaultCode.ACTION_INVALID)
def test_control_infinity_held_to_one_is_full_speed(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a clip alone would have it."""

    def clipped(action: PlannedAction, *arguments: object, **fields: object) -> object:
        whole = replace(action, action=np.clip(np.nan_to_num(action.action), -1.0, 1.0))
        return target(whole, *arguments, **fields)  # pyright: ignore[reportArgumentType]

    target = PlannedAction.target
    monkeypatch.setattr(PlannedAction, "target", clipped)
    with pytest.raises(AssertionError, match="in the first tick of its time"):
        answer_no_number(cell, np.inf)


def speak_of_old_epochs(cell: FaultCell) -> None:
    """A chunk of the epoch before, then drives of the lease before: nothing moves."""
    cell.begin_autonomy()
    cell.offer([FULL] * 8, epoch=int(cell.status["epoch"]) - 1)
    begin_m = cell.position_m
    cell.run(500)
    assert cell.way_m(begin_m) < 0.002, "a void chunk moves the arm"
    cell.take_over()
    begin_m = cell.position_m
    counted = dict(cell.loop.controller.operator_input.rejected)
    cell.drive_for(500, axes=FAST, epoch=int(cell.status["lease_epoch"]) - 1)
    assert cell.way_m(begin_m) < 0.002, "a void drive moves the arm"
    rejected = cell.loop.controller.operator_input.rejected
    assert sum(rejected.values()) - sum(counted.values()) == 25


@pytest.mark.injects(FaultCode.OLD_EPOCH)
def test_what_was_said_in_another_epoch_moves_nothing_and_is_counted(cell: FaultCell) -> None:
    speak_of_old_epochs(cell)


@pytest.mark.unprotected(FaultCode.OLD_EPOCH)
def test_control_a_plan_blind_to_epochs_moves_the_arm(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ChunkPlan.at

    def of_any(plan: ChunkPlan, t_ns: int, epoch: int | None) -> PlannedAction | None:
        found = at(plan, t_ns, None)
        return found and replace(found, epoch=found.epoch if epoch is None else epoch)

    monkeypatch.setattr(ChunkPlan, "at", of_any)
    with pytest.raises(AssertionError, match="a void chunk moves the arm"):
        speak_of_old_epochs(cell)
