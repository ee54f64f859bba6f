"""The self-test of this machine's timing: an empty loop, as late as the machine makes it.

It is the thread of `hardware.torque_loop` without arm and law, and it decides whether a torque loop
may drive a real arm from here.
"""

import numpy as np

from hardware.compiled_slot import Words, now_ns, wait_until
from hardware.loop_times import Counts, Lateness, LoopCounts, count_lateness, count_tick
from hardware.torque_loop import LoopThread
from safety.compiled import kernel

PERIOD_NS = 1_000_000
SELF_TEST_S = 10.0
MISSED_ALLOWED = 20
"""Periods in a row without a torque: after so many a Franka's own controller stops the arm."""


@kernel
def _run_empty(
    period_ns: int, length_ns: int, counts: Counts, largest: Counts, totals: Counts, span: Words
) -> None:
    # From here: a thread that was begun late has as many periods.
    deadline_ns = (now_ns(span) // period_ns + 2) * period_ns
    until_ns = deadline_ns + length_ns
    while deadline_ns < until_ns:
        awake_ns = wait_until(deadline_ns, span)
        missed = (awake_ns - deadline_ns) // period_ns
        ready_ns = now_ns(span)
        count_tick(totals, missed)
        count_lateness(counts, largest, 0, awake_ns - deadline_ns)
        count_lateness(counts, largest, 1, ready_ns - deadline_ns)
        deadline_ns += (missed + 1) * period_ns


def empty_loop(
    seconds: float, priority: int, *, period_ns: int = PERIOD_NS
) -> tuple[Lateness, list[str]]:
    """Times of an empty loop, and what real-time setting was refused; takes so many seconds."""
    counts, span = LoopCounts(), np.zeros(2, np.int64)
    arrays = (counts.counts, counts.largest, counts.totals, span)
    _run_empty(period_ns, 0, *arrays)  # compiles it
    length_ns = round(seconds * 1e9)
    thread = LoopThread("empty-loop", lambda: _run_empty(period_ns, length_ns, *arrays))
    refused = thread.start(priority)
    thread.join()
    return counts.times(), refused


def refusal(times: Lateness, period_ns: int = PERIOD_NS) -> str:
    """Why no torque loop may drive a real arm from this machine; nothing when it may."""
    if times.missed_in_a_row <= MISSED_ALLOWED:
        return ""
    return (
        f"torque mode is refused: in the self-test the loop missed {times.missed_in_a_row} periods "
        f"of {period_ns / 1e6:g} ms in a row, and {MISSED_ALLOWED} are allowed; end other programs "
        "or allow SCHED_FIFO (`robot-rl doctor` says what this machine lacks), then start again"
    )
