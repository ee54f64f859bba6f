"""Real-time settings of the calling process, and the times of its loop."""

import ctypes
import gc
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MCL_CURRENT, _MCL_FUTURE = 1, 2
_PR_SET_TIMERSLACK = 29

_libc = ctypes.CDLL(None, use_errno=True)


def enter(priority: int) -> list[str]:
    """Ask for SCHED_FIFO, locked memory and exact timers, and freeze the garbage collector.

    Returns what was refused, one plain sentence each; the process runs on without it.
    """
    refused = schedule_thread(priority)
    if _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) != 0:
        refused.append(
            "Memory could not be locked, so paging may delay the loop: "
            "allow it with CAP_IPC_LOCK or `ulimit -l unlimited`."
        )
    quiet_collector()
    return refused


def schedule_thread(priority: int) -> list[str]:
    """SCHED_FIFO and exact timers for the calling thread alone; returns as `enter` does."""
    refused: list[str] = []
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except PermissionError:
        refused.append(
            "SCHED_FIFO was refused, so timing depends on the machine's load: "
            "allow it with CAP_SYS_NICE or `ulimit -r 99`."
        )
    _libc.prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)  # ns
    return refused


def quiet_collector() -> None:
    """No garbage collection from here on: call it when everything long-lived exists."""
    gc.collect()
    gc.freeze()
    gc.disable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """µs."""

    p50: float
    p99: float
    p999: float  # 99.9 %
    largest: float


class Durations:
    """The last `size` durations of something periodic."""

    def __init__(self, size: int) -> None:
        self._values: NDArray[np.float64] = np.zeros(size)
        self._count = 0

    def add(self, duration_ns: int) -> None:
        self._values[self._count % len(self._values)] = duration_ns * 1e-3
        self._count += 1

    def percentiles(self) -> Percentiles:
        """Of the values present; zeros before the first."""
        values = self._values[: self._count]
        if not len(values):
            return Percentiles(p50=0.0, p99=0.0, p999=0.0, largest=0.0)
        p50, p99, p999 = np.percentile(values, (50, 99, 99.9)).tolist()
        return Percentiles(p50=p50, p99=p99, p999=p999, largest=float(values.max()))
