"""The robot's clock: monotonic in real time, virtual in lock-step. The same code runs on both.

Lock-step is a conservative discrete-event simulation (Chandy & Misra 1979). The arm's process owns
virtual time. Every registered party grants time up to its own next deadline, and time advances to
the smallest grant: nobody is ever late, nobody waits longer than needed, and only the arm's process
knows which parties exist.
"""

import time
from pathlib import Path
from typing import Protocol

import numpy as np

from hardware.memory import Slot

PARTIES = ("control", "camera", "actor", "link")
"""Processes that may hold back virtual time. The link grants when operator and learner have
answered.
"""

_NOW = np.dtype([("now_ns", np.int64)])
_GRANT = np.dtype([("until_ns", np.int64), ("registered", np.int64)])
_WAIT_S = (
    0.25  # how long one futex wait may last before the stop flag of the process is looked at again
)


class Clock(Protocol):
    """What every process of the robot PC asks for the time."""

    virtual: bool

    def now_ns(self) -> int:
        """Time of the robot clock, ns."""
        ...

    def wait_until_ns(self, t_ns: int, timeout_s: float = 1.0) -> bool:
        """Wait until the clock shows `t_ns`; False when `timeout_s` of wall time passed first."""
        ...

    def grant_until_ns(self, t_ns: int) -> None:
        """Promise that this party has nothing left to do before `t_ns`. No effect in real time."""
        ...

    def leave(self) -> None:
        """Hold back virtual time no longer (the party is ending or not taking part)."""
        ...


class MonotonicClock:
    """CLOCK_MONOTONIC."""

    virtual = False

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wait_until_ns(self, t_ns: int, timeout_s: float = 1.0) -> bool:
        left_s = (t_ns - time.monotonic_ns()) * 1e-9
        if left_s > timeout_s:
            time.sleep(timeout_s)
            return False
        if left_s > 0:
            time.sleep(left_s)
        return True

    def grant_until_ns(self, t_ns: int) -> None:
        """Real time waits for nobody."""

    def leave(self) -> None:
        """Real time waits for nobody."""


class VirtualClock:
    """One party's view of virtual time; `party` None only watches."""

    virtual = True

    def __init__(self, folder: Path, party: str | None) -> None:
        self._now = Slot(folder / "clock", _NOW)
        self._grant = None if party is None else Slot(folder / f"grant_{party}", _GRANT)

    def now_ns(self) -> int:
        return int(self._now.read()["now_ns"])

    def wait_until_ns(self, t_ns: int, timeout_s: float = 1.0) -> bool:
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._now.count
            if self.now_ns() >= t_ns:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._now.wait_beyond(seen, min(left, _WAIT_S))

    def grant_until_ns(self, t_ns: int) -> None:
        if self._grant is not None:
            self._grant.write(np.array((t_ns, 1), _GRANT))

    def leave(self) -> None:
        if self._grant is not None:
            self._grant.write(np.array((0, 0), _GRANT))


class VirtualTime:
    """The owner's side, used by the arm's process alone."""

    def __init__(self, folder: Path) -> None:
        self._now = Slot(folder / "clock", _NOW)
        self._grants = {name: Slot(folder / f"grant_{name}", _GRANT) for name in PARTIES}
        self._now_ns = int(self._now.read()["now_ns"])  # only the owner changes it

    def advance(self, t_ns: int) -> None:
        """Set virtual time, ns. Time never runs backwards: ValueError."""
        if t_ns < self._now_ns:
            raise ValueError(f"virtual time would run backwards to {t_ns} ns")
        self._now_ns = t_ns
        self._now.write(np.array((t_ns,), _NOW))

    def now_ns(self) -> int:
        return self._now_ns

    def granted_ns(self) -> int:
        """How far time may advance: the smallest grant of the registered parties (now when there is
        none).
        """
        return self._smallest()[0]

    def wait_granted(self, timeout_s: float) -> int:
        """Wait until time may advance beyond now; returns `granted_ns()` (possibly still now)."""
        deadline = time.monotonic() + timeout_s
        while True:
            until_ns, party, seen = self._smallest()
            left = deadline - time.monotonic()
            if until_ns > self._now_ns or left <= 0:
                return until_ns
            if party is None:
                time.sleep(min(left, 0.001))
            else:
                self._grants[party].wait_beyond(seen, min(left, _WAIT_S))

    def _smallest(self) -> tuple[int, str | None, int]:
        """The smallest grant, whose it is, and how often it had been written before it was read."""
        smallest: tuple[int, str | None, int] = (self._now_ns, None, 0)
        for name, slot in self._grants.items():
            seen = slot.count
            grant = slot.read()
            until_ns = int(grant["until_ns"])
            if grant["registered"] and (smallest[1] is None or until_ns < smallest[0]):
                smallest = (until_ns, name, seen)
        return smallest


def register(folder: Path, parties: tuple[str, ...]) -> None:
    """Make `parties` hold back virtual time from the start, before any of their processes runs."""
    for name in parties:
        Slot(folder / f"grant_{name}", _GRANT).write(np.array((0, 1), _GRANT))


def open_clock(folder: Path, *, virtual: bool, party: str | None) -> Clock:
    """The clock of a process: `folder` is the daemon's shared-memory folder."""
    return VirtualClock(folder, party) if virtual else MonotonicClock()
