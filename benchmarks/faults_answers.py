"""Faults of the policy's answers and of its critic: late, no numbers, of the wrong shape."""

import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.fault_actor import Says
from benchmarks.fault_looks import MS
from benchmarks.fault_recording import RecordingCell
from benchmarks.fault_trial import Figure, Row, Spoilt, none
from robot_rl.daemon import topics
from robot_rl.schema.episode import SafetyEvent
from robot_rl.schema.segment import RecordedStep
from safety.faults import FAULTS, FaultCode, bound_ms
from safety.standstill import at_rest

BACK_M = 5e-5
"""A reference that goes back by more in a tick is driven back."""
GAP_NS = 200 * MS
"""Where no action is planned for so long, the arm must have come to rest."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A chunk of the actor, as it was seen."""

    seen_ns: int
    begins_ns: int
    ends_ns: int
    finite: bool


class Chunks:
    """What the actor publishes, while the cell is watched."""

    def __init__(self, cell: RecordingCell) -> None:
        self._slot = topics.open_chunk(cell.settings.memory, cell.settings.task.action.size)
        self._count = self._slot.count
        self.sent: list[Sent] = []

    def look(self) -> bool:
        """To be called at each look; True once there is one that is not finite."""
        if self._slot.count != self._count:
            self._count, record = self._slot.count, self._slot.read()
            begins_ns, count = int(record["valid_from_ns"]), int(record["count"])
            ends_ns = begins_ns + count * int(record["dt_ns"])
            finite = bool(np.isfinite(record["actions"][:count]).all())
            self.sent.append(Sent(time.monotonic_ns(), begins_ns, ends_ns, finite))
        return any(not each.finite for each in self.sent)


def _inference_slow(cell: RecordingCell) -> tuple[float, ...]:
    """It thinks ten times as long as usual, twice; what has passed meanwhile would go back."""
    cell.run_episode(Says.ON)
    chunks = Chunks(cell)
    cell.says.value = Says.SLOWLY
    cell.looks.watch(2.0, chunks.look)
    if len(chunks.sent) < 2:
        raise Spoilt("it did not think in time")
    return float(back_ticks(cell)), rests_after_ms(cell, chunks.sent)


def back_ticks(cell: RecordingCell) -> int:
    """Ticks in which the reference was driven back; its decay to the arm in a hold is none."""
    return sum(
        bool(b.position_m[1] - a.position_m[1] < -BACK_M)
        for run in cell.looks.runs()
        for a, b in pairwise(run)
        if not (a.hold or b.hold)
    )


def rests_after_ms(cell: RecordingCell, sent: list[Sent]) -> float:
    """From the end of what was planned to the TCP's rest, the largest; infinite: it went on until
    the next answer. Raises Spoilt.
    """
    took = [
        _rest_ns(cell, before.ends_ns, after.seen_ns) - before.ends_ns
        for before, after in pairwise(sent)
        if after.seen_ns - before.ends_ns > GAP_NS
    ]
    if not took:
        raise Spoilt("no answer came so late that the plan before it had ended")
    return max(took) / MS


def _rest_ns(cell: RecordingCell, begin_ns: int, end_ns: int) -> float:
    """When the TCP came to rest and stayed so until `end_ns`."""
    within = [each for each in cell.looks.samples if begin_ns <= each.t_ns < end_ns]
    moving = [k for k, each in enumerate(within) if not at_rest(each.speed_m_s)]
    if not moving:
        return begin_ns
    return within[moving[-1] + 1].t_ns if moving[-1] + 1 < len(within) else float("inf")


def _action_invalid(cell: RecordingCell) -> tuple[float, ...]:
    """NaN, infinity and one column in place of seven, in turn."""
    cell.run_episode(Says.ON)
    chunks = Chunks(cell)
    cell.recorded()
    cell.says.value = cell.turn((Says.NAN, Says.INFINITE, Says.SHAPELESS))
    cell.looks.watch(0.8, chunks.look)
    cell.says.value = Says.STILL
    bad = next((each for each in chunks.sent if not each.finite), None)
    ticks = float("inf") if bad is None else held_in_tick(cell, max(bad.begins_ns, bad.seen_ns))
    cell.ready()
    time.sleep(0.3)  # the last row is on the disk
    rows = cell.recorded()
    marked = any(isinstance(row, SafetyEvent) and row.code == "reject" for row in rows)
    steps = [row.step for row in rows if isinstance(row, RecordedStep)]
    rejected = any(step.reject_reason == "not_finite" for step in steps)
    return ticks, float(not (marked and rejected))


def held_in_tick(cell: RecordingCell, since_ns: int) -> float:
    """The first tick from then on that holds, from 1 on."""
    after = [command for command in cell.looks.commands if command.t_ns >= since_ns]
    first = next((k for k, command in enumerate(after) if command.hold), None)
    return float("inf") if first is None else after[first].sequence - after[0].sequence + 1.0


def _critic_invalid(cell: RecordingCell) -> tuple[float, ...]:
    """It answers NaN, or half a second late, in turn. Counted from the observation that it is asked
    of first, which lies one step behind the last one that it judged.
    """
    cell.run_episode(Says.JUDGED)
    chunks = Chunks(cell)
    said = cell.turn((Says.CRITIC_NAN, Says.CRITIC_LATE))
    step_ns = cell.settings.task.step_ns
    cell.looks.watch(0.05, chunks.look)
    failed_ns = time.monotonic_ns()
    cell.says.value = said
    cell.looks.go_on(0.8, chunks.look)
    cell.says.value = Says.STILL
    asked_ns = (failed_ns // step_ns + 1) * step_ns
    return (cell.hold_ms(asked_ns) * MS / step_ns,)


def _bound(code: FaultCode) -> float:
    bound = FAULTS[code].bound
    assert bound is not None
    return bound.count


ROWS = {
    FaultCode.INFERENCE_SLOW: Row(
        trial=_inference_slow,
        figures=(
            none("ticks in which an action was replayed"),
            Figure(
                what="end of what was planned → TCP rests",
                unit="ms",
                bound=bound_ms(FaultCode.ACTOR_LOST),
            ),
        ),
    ),
    FaultCode.ACTION_INVALID: Row(
        trial=_action_invalid,
        figures=(
            Figure(
                what="its time begins → hold, in tick",
                unit="",
                bound=_bound(FaultCode.ACTION_INVALID),
            ),
            none("episodes that were not marked"),
        ),
    ),
    FaultCode.CRITIC_INVALID: Row(
        trial=_critic_invalid,
        figures=(
            Figure(
                what="first decision without its word → TCP rests",
                unit="decisions",
                bound=_bound(FaultCode.CRITIC_INVALID),
            ),
        ),
    ),
}
