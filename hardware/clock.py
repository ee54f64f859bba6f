"""The robot's clock: monotonic in real time, virtual in lock-step. The same code runs on both.

Lock-step is a conservative discrete-event simulation (Chandy & Misra 1979). The arm's process owns
virtual time. Every registered party grants time up to its own next deadline, and time advances to
the smallest grant: nobody is ever late, nobody waits longer than needed, and only the arm's process
knows which parties exist. A party is woken when its own deadline is reached, not at every advance:
to wake four sleepers 200 times a virtual second cost more than the physics.
"""

import time
from pathlib import Path
from typing import Protocol

from hardware.memory import Words

PARTIES = ("control", "camera", "actor", "link")
"""Processes that may hold back virtual time. The link grants when operator and learner have
answered.
"""

# Words of the file `clock`, which the owner writes: how often time advanced, and virtual time.
_ADVANCES, _NOW_NS = 0, 1
# Words of the files `grant_PARTY`: how often the grant changed, the grant, whether the party holds
# back time; and, written by the owner, how often its deadline was reached.
_CHANGES, _UNTIL_NS, _REGISTERED, _DUE = 0, 1, 2, 3
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
        self._clock = Words(folder / "clock")
        self._grant = None if party is None else Words(folder / f"grant_{party}")
        self._granted_ns = -1

    def now_ns(self) -> int:
        return self._clock[_NOW_NS]

    def wait_until_ns(self, t_ns: int, timeout_s: float = 1.0) -> bool:
        # The owner tells a party that the time which it granted has come. Who waits for another
        # instant looks whenever time advances.
        words, index = self._clock, _ADVANCES
        if self._grant is not None and t_ns == self._granted_ns:
            words, index = self._grant, _DUE
        deadline = time.monotonic() + timeout_s
        while True:
            seen = words[index]  # before the look: what comes after it ends the wait at once
            if self._clock[_NOW_NS] >= t_ns:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            words.wait_changed(index, seen, min(left, _WAIT_S))

    def grant_until_ns(self, t_ns: int) -> None:
        if self._grant is not None:
            self._granted_ns = t_ns
            _write_grant(self._grant, t_ns)

    def leave(self) -> None:
        if self._grant is not None:
            self._granted_ns = -1
            self._grant[_REGISTERED] = 0
            self._grant.count_up(_CHANGES)


class VirtualTime:
    """The owner's side, used by the arm's process alone."""

    def __init__(self, folder: Path) -> None:
        self._clock = Words(folder / "clock")
        self._grants = [Words(folder / f"grant_{name}") for name in PARTIES]
        self._now_ns = self._clock[_NOW_NS]  # only the owner changes it

    def advance(self, t_ns: int) -> None:
        """Set virtual time, ns. Time never runs backwards: ValueError."""
        if t_ns < self._now_ns:
            raise ValueError(f"virtual time would run backwards to {t_ns} ns")
        self._now_ns = self._clock[_NOW_NS] = t_ns
        for grant in self._grants:
            # A party that has granted more since it was last looked at is not waiting for this.
            if grant[_REGISTERED] and grant[_UNTIL_NS] <= t_ns:
                grant.count_up(_DUE)
        self._clock.count_up(_ADVANCES)

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
            until_ns, grant, seen = self._smallest()
            left = deadline - time.monotonic()
            if until_ns > self._now_ns or left <= 0:
                return until_ns
            if grant is None:
                time.sleep(min(left, 0.001))
            else:
                grant.wait_changed(_CHANGES, seen, min(left, _WAIT_S))

    def _smallest(self) -> tuple[int, Words | None, int]:
        """The smallest grant, where it lies, and how often it had been written before it was
        read.
        """
        smallest: tuple[int, Words | None, int] = (self._now_ns, None, 0)
        for grant in self._grants:
            seen = grant[_CHANGES]
            until_ns = grant[_UNTIL_NS]
            if grant[_REGISTERED] and (smallest[1] is None or until_ns < smallest[0]):
                smallest = (until_ns, grant, seen)
        return smallest


class Guest(Protocol):
    """What the owner of virtual time runs in its own process, in place of a party with one:
    a futex and a change of process 200 times a virtual second are saved.
    """

    due_ns: int
    """Its next deadline: time goes no further without it, and with nobody else it stands."""

    def turn(self) -> None:
        """Its deadline has come: do what is due, and set the next one."""
        ...

    def close(self) -> None:
        """The process ends."""
        ...


def register(folder: Path, parties: tuple[str, ...]) -> None:
    """Make `parties` hold back virtual time from the start, before any of their processes runs."""
    for name in parties:
        _write_grant(Words(folder / f"grant_{name}"), 0)


def _write_grant(grant: Words, until_ns: int) -> None:
    grant[_UNTIL_NS] = until_ns  # first: nobody registers with a grant of long ago
    grant[_REGISTERED] = 1
    grant.count_up(_CHANGES)


def open_clock(folder: Path, *, virtual: bool, party: str | None) -> Clock:
    """The clock of a process: `folder` is the daemon's shared-memory folder."""
    return VirtualClock(folder, party) if virtual else MonotonicClock()
