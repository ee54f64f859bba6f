"""How late a compiled loop is: counted by the loop, read by anybody in its process.

Lateness is counted in buckets of 1 µs. Every number has one writer and only grows, so a reader
needs no lock: what it finds is at most one tick old.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware.realtime import Percentiles
from safety.compiled import kernel

type Counts = NDArray[np.int64]

BUCKETS = 8192
"""The last one holds everything later than 8.19 ms."""

# Columns of `Counts.totals`.
TICKS, MISSED, MISSED_IN_A_ROW = range(3)


@kernel
def count_lateness(counts: Counts, largest: Counts, row: int, late_ns: int) -> None:
    counts[row, min(max(late_ns, 0) // 1000, BUCKETS - 1)] += 1
    largest[row] = max(largest[row], late_ns)


@kernel
def count_tick(totals: Counts, missed: int) -> None:
    """One tick that came after `missed` periods in which there was none."""
    totals[TICKS] += 1
    totals[MISSED] += missed
    totals[MISSED_IN_A_ROW] = max(totals[MISSED_IN_A_ROW], missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Of one loop. µs after the deadline of a tick."""

    ticks: int
    missed: int  # periods without a tick; never caught up
    missed_in_a_row: int  # the most
    awake: Percentiles  # the loop runs
    ready: Percentiles  # its torque is chosen; for the empty loop as `awake`


class LoopCounts:
    """What a loop counts into; allocated once."""

    def __init__(self) -> None:
        self.counts: Counts = np.zeros((2, BUCKETS), np.int64)  # awake, ready
        self.largest: Counts = np.zeros(2, np.int64)  # ns
        self.totals: Counts = np.zeros(3, np.int64)
        self._before = self.counts.copy()

    def times(self) -> Lateness:
        """Since the loop began."""
        return self._of(self.counts.copy())

    def times_since_last(self) -> Lateness:
        """Percentiles since this was last called; totals and largest since the loop began."""
        now = self.counts.copy()
        since = now - self._before
        self._before = now
        return self._of(since)

    def _of(self, counts: Counts) -> Lateness:
        ticks, missed, in_a_row = self.totals.tolist()
        awake, ready = (
            percentiles(row, largest_ns * 1e-3)
            for row, largest_ns in zip(counts, self.largest.tolist(), strict=True)
        )
        return Lateness(
            ticks=ticks, missed=missed, missed_in_a_row=in_a_row, awake=awake, ready=ready
        )


def percentiles(counts: Counts, largest_us: float) -> Percentiles:
    """Upper edges of the buckets (BUCKETS,), never above the largest; zeros where all are empty."""
    total = int(counts.sum())
    if not total:
        return Percentiles(p50=0.0, p99=0.0, p999=0.0, largest=largest_us)
    below = np.cumsum(counts)

    def at(share: float) -> float:
        bucket = int(np.searchsorted(below, share * total))
        return largest_us if bucket == BUCKETS - 1 else min(bucket + 1.0, largest_us)

    return Percentiles(p50=at(0.5), p99=at(0.99), p999=at(0.999), largest=largest_us)
