"""A torque-controlled arm's own loop: a thread that is in compiled code for its whole life.

It needs no GIL, allocates nothing and logs nothing. In every period, at an absolute deadline, it
measures the arm, takes the newest reference, lets `safety.torque_tick` choose the torque and gives
it to the arm. A missed period is skipped, never caught up.

    from -> to                  by
    whoever hosts it -> loop    slot of `REFERENCE`; words `stop`, `cleared`, `end`
    loop -> whoever hosts it    slot of `LOOP`: torque, measurement, cause; `LoopCounts`: times
    arm <-> loop                `TorqueSeam`

The thread lives in the process that hosts the arm (`hardware.torque_arm`). When that process dies,
so does the loop: what stops the arm then is its own controller, to which torque has ceased to come.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from hardware import realtime
from hardware.compiled_slot import Words, fence, now_ns, read_record, wait_until, write_record
from hardware.loop_times import Counts, LoopCounts, count_lateness, count_tick
from hardware.memory import Record, Records, Slot
from safety import torque_tick
from safety.compiled import kernel
from safety.limits import ArmLimits
from safety.torque_tick import (
    CAUSE,
    JOINTS,
    SEEN_VALUES,
    STANDING,
    TRIPS,
    SeenArm,
    TorqueBounds,
    TorqueMemory,
)

type Vector = NDArray[np.float64]

REFERENCE = np.dtype(
    [
        ("made_ns", np.int64),  # robot time at which the gate made it
        ("valid_until_ns", np.int64),
        ("hold", np.int64),  # brake what motion is left
        ("position", np.float64, 3),  # m, tcp_in_base
        ("quaternion", np.float64, 4),  # wxyz
        ("clips", np.float64, (2, 6)),  # m and rad; row 0 towards minus, row 1 towards plus
    ]
)

LOOP = np.dtype(
    [
        ("t_ns", np.int64),  # deadline of this tick
        ("measured_ns", np.int64),
        ("tick", np.int64),
        ("missed", np.int64),
        ("missed_in_a_row", np.int64),
        ("cause", np.int64),  # safety.torque_tick.Cause: what the brake began by
        ("standing", np.int64),  # the cause of this very tick, beside the stop word
        ("trips", np.int64),
        ("refused", np.int64),  # references that were none
        ("limits", np.int64),  # bits of safety.vocabulary.Limit
        ("torque", np.float64, JOINTS),
        ("q", np.float64, JOINTS),
        ("dq", np.float64, JOINTS),
        ("position", np.float64, 3),
        ("quaternion", np.float64, 4),
        ("jacobian", np.float64, (6, JOINTS)),
    ]
)

LIVE = types.int64(types.CPointer(types.int64), types.CPointer(types.float64))
"""Signature of what a `TorqueSeam` calls: `int64 f(int64 *context, double *values)`."""

PRIORITY = 85
"""SCHED_FIFO that the loop asks for: above control's, because its ticks are short and frequent."""

# Words of the loop; each has one writer outside it.
STOP, CLEARED, END = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class TorqueSeam:
    """How the loop reaches its arm: two C functions (a `numba.cfunc` of LIVE, or `at(address)`).

    Neither may block, allocate or call Python. `context` is theirs: what they need to find the arm.
    """

    measure: Any
    """Fills (SEEN_VALUES,) doubles in the order of `safety.torque_tick.SeenArm`; returns the
    monotonic time of the measurement in ns, or -1 without one."""
    actuate: Any
    """Gives the torque (7,) to the arm; returns 0, or anything else when it was not taken. Not
    called before the first measurement that is fresh and finite."""
    context: NDArray[np.int64]


class at(types.WrapperAddressProtocol):
    """A C function of the signature LIVE by its address, from `ctypes` or `cffi`."""

    def __init__(self, address: int) -> None:
        self._address = address

    def __wrapper_address__(self) -> int:
        return self._address

    def signature(self) -> Any:
        return LIVE


@kernel
def _run(
    period_ns: int,
    words: Words,
    reference_words: Words,
    references: Records,
    reference: Records,
    loop_words: Words,
    loops: Records,
    loop: Records,
    counts: Counts,
    largest: Counts,
    totals: Counts,
    bounds: TorqueBounds,
    memory: TorqueMemory,
    values: Vector,
    seen: SeenArm,
    torque: Vector,
    span: Words,
    measure: Any,
    actuate: Any,
    context: Words,
) -> None:
    """The thread. It returns when the word END is set."""
    deadline_ns = (now_ns(span) // period_ns + 2) * period_ns
    taken, unsent = reference_words[0], False  # what was there before the loop is not for it
    while words[END] == 0:
        awake_ns = wait_until(deadline_ns, span)
        due_ns = deadline_ns
        missed = (awake_ns - due_ns) // period_ns
        deadline_ns += missed * period_ns
        measured_ns = measure(context.ctypes, values.ctypes)
        lost = measured_ns < 0 or awake_ns - measured_ns > bounds.measured_ns
        begun = torque_tick.begin(bounds, memory, seen, lost, torque)
        out = loop[0]
        if not begun:
            taken = reference_words[0]  # nor is what comes while no arm is measured
        elif reference_words[0] != taken:
            number = read_record(reference_words, references, reference)
            if number >= 0:
                taken, new = number, reference[0]
                if not torque_tick.take(
                    bounds,
                    memory,
                    awake_ns,
                    new.made_ns,
                    new.valid_until_ns,
                    new.hold != 0,
                    new.position,
                    new.quaternion,
                    new.clips,
                ):
                    out.refused += 1
        # A stop is released before it is cleared: who sees the clear must see the release too.
        cleared = words[CLEARED]
        fence()
        stop = words[STOP] != 0
        if begun:
            out.limits = torque_tick.choose(
                bounds,
                memory,
                seen,
                awake_ns,
                missed * period_ns,
                stop,
                cleared,
                lost,
                unsent,
                torque,
            )
        ready_ns = now_ns(span)
        if begun:
            unsent = actuate(context.ctypes, torque.ctypes) != 0
        count_tick(totals, missed)
        count_lateness(counts, largest, 0, awake_ns - due_ns)
        count_lateness(counts, largest, 1, ready_ns - due_ns)
        out.t_ns, out.measured_ns = deadline_ns, measured_ns
        out.tick, out.missed, out.missed_in_a_row = totals[0], totals[1], totals[2]
        out.cause, out.trips = memory.words[CAUSE], memory.words[TRIPS]
        out.standing = memory.words[STANDING]
        out.torque[:] = torque
        out.q[:] = seen.q
        out.dq[:] = seen.dq
        out.position[:] = seen.position
        out.quaternion[:] = seen.quaternion
        out.jacobian[:] = seen.jacobian
        write_record(loop_words, loops, loop)
        deadline_ns += period_ns


class LoopThread:
    """A thread in compiled code, under SCHED_FIFO where it is allowed."""

    def __init__(self, name: str, run: Any) -> None:
        self.refused: list[str] = []
        self._run, self._entered = run, threading.Event()
        self._thread = threading.Thread(target=self._enter, name=name, daemon=True)

    def start(self, priority: int) -> list[str]:
        """Returns what the system refused, one plain sentence each; the loop runs without it."""
        self._priority = priority
        self._thread.start()
        self._entered.wait()
        return self.refused

    def _enter(self) -> None:
        self.refused += realtime.schedule_thread(self._priority)
        self._entered.set()
        self._run()

    def join(self) -> None:
        self._thread.join()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()


class TorqueLoop:
    """The loop as its process sees it: `warm_up`, `start`, then references; `close` at the end."""

    def __init__(
        self,
        seam: TorqueSeam,
        limits: ArmLimits,
        posture_rad: Vector,
        folder: Path,
        *,
        period_ns: int = 1_000_000,
        control_period_ns: int = 5_000_000,
        watchdog_ns: int = 100_000_000,
        latch_ns: int = 250_000_000,
        measured_ns: int = 10_000_000,
    ) -> None:
        """Raises LimitError for another number of joints than seven.

        folder: of the daemon's shared memory. measured_ns: how old a measurement may be. The others
        are those of `hardware.arm.ArmLaunch`.
        """
        self.period_ns = period_ns
        self.counts = LoopCounts()
        self.bounds = torque_tick.bounds(
            limits,
            posture_rad,
            period_ns=period_ns,
            control_period_ns=control_period_ns,
            watchdog_ns=watchdog_ns,
            measured_ns=measured_ns,
            latch_ns=latch_ns,
        )
        self.seam = seam
        self._words: Words = np.zeros(8, np.int64)
        self._reference = Slot(folder / "torque_reference", REFERENCE)
        self._loop = Slot(folder / "torque_loop", LOOP)
        self._record = np.zeros((), REFERENCE)
        self._thread: LoopThread | None = None
        self._arguments = self._fresh()

    def _fresh(self) -> tuple[Any, ...]:
        values = np.zeros(SEEN_VALUES)
        return (
            self.period_ns,
            self._words,
            self._reference.words,
            self._reference.buffers,
            np.zeros(1, REFERENCE),
            self._loop.words,
            self._loop.buffers,
            np.zeros(1, LOOP),
            self.counts.counts,
            self.counts.largest,
            self.counts.totals,
            self.bounds,
            torque_tick.memory(),
            values,
            torque_tick.seen(values),
            np.zeros(JOINTS),
            np.zeros(2, np.int64),
            self.seam.measure,
            self.seam.actuate,
            self.seam.context,
        )

    # ---- life ------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Compile everything now. The arm is neither measured nor moved."""
        self._words[END] = 1
        _run(*self._arguments)
        self._words[END] = 0

    def start(self, priority: int) -> list[str]:
        """Begin to control the arm, holding it. Returns what real-time setting was refused; memory
        is for the whole process to lock (`realtime.enter`).
        """
        self.warm_up()
        self._thread = LoopThread("torque-loop", lambda: _run(*self._arguments))
        return self._thread.start(priority)

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.running

    def close(self) -> None:
        """End the loop: from here on the arm gets no torque."""
        self._words[END] = 1
        if self._thread is not None:
            self._thread.join()

    # ---- what it is told -------------------------------------------------------------------------

    def refer(
        self,
        position_m: Vector,
        quaternion: Vector,
        clips: NDArray[np.float64],
        *,
        made_ns: int,
        valid_until_ns: int,
        hold: bool = False,
    ) -> None:
        """The newest reference, as a command of the gate gave it; never blocks."""
        record = self._record
        record["made_ns"], record["valid_until_ns"] = made_ns, valid_until_ns
        record["position"], record["quaternion"] = position_m, quaternion
        record["clips"], record["hold"] = clips, hold
        self._reference.write(record)

    def stop(self) -> None:
        """Brake from the next tick on, until `release` and `clear`."""
        self._words[STOP] = 1

    def release(self) -> None:
        """Take the stop word back; the loop still brakes."""
        self._words[STOP] = 0

    def clear(self, trip: int) -> None:
        """Leave the brake that this trip began, at once: where a cause is left in the next tick,
        the clear is void and that is a later trip. Motion needs a reference.
        """
        self._words[CLEARED] = trip

    # ---- what it tells ---------------------------------------------------------------------------

    def newest(self) -> Record:
        """Of the newest tick, as `LOOP`; zeros before the first."""
        return self._loop.read()

    @property
    def words(self) -> Words:
        """The first one is how many ticks there were."""
        return self._loop.words

    @property
    def ticks(self) -> int:
        return self._loop.count
