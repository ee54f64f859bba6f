"""The supervisor: starts the process table, watches it, restarts what may be restarted, ends it.

It moves nothing. When control dies the arm brakes by itself; the supervisor writes the stop latch
before it starts control again, so that motion never resumes without a person.
"""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType

from robot_rl.daemon import data_folder
from robot_rl.daemon.control.latch import read_latch, write_latch
from robot_rl.daemon.log import Log
from robot_rl.daemon.memory_folder import remove_leftovers
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.daemon.supervisor import child as process_child
from robot_rl.daemon.supervisor.memory import Memory
from robot_rl.daemon.supervisor.processes import Ends, ProcessEntry, WhenItDies, needed
from robot_rl.errors import PlainError
from safety.faults import FaultCode, sentence

_READY_S = 90.0  # the first start compiles the impedance law
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 10.0
_STEADY_S = 60.0  # a process that ran this long starts from the first back-off again
_HOLD_S = 1.0
_ENDING_S = 4.5  # of the whole end; then stragglers are killed
_FLUSH_S = 2.5  # the link's share of it


class DaemonFailed(PlainError):
    """The robot PC cannot run, or cannot go on; one plain sentence."""


@dataclass(slots=True)
class _Child:
    """A running or resting row of the table."""

    entry: ProcessEntry
    process: BaseProcess | None = None
    started_s: float = 0.0
    backoff_s: float = 0.0
    restart_at_s: float = 0.0
    restarts: int = 0


class Daemon:
    """One robot PC. `start` returns when the arm answers; `stop` when nothing is left running."""

    def __init__(self, settings: DaemonSettings) -> None:
        self.settings = settings
        self._log = Log(settings.log_file, "supervisor")
        self._children = {entry.name: _Child(entry) for entry in needed(settings)}
        self._context = multiprocessing.get_context("spawn")
        self._memory: Memory | None = None
        self._lock = -1
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    @property
    def failure(self) -> str | None:
        """Why the daemon ended by itself; None when it did not."""
        return self._failure

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def pids(self) -> dict[str, int]:
        """Process ids of what runs now, for tests and for `doctor`."""
        return {
            name: child.process.pid
            for name, child in self._children.items()
            if child.process is not None and child.process.pid is not None
        }

    def start(self) -> None:
        """Start everything, in order. Raises DaemonFailed or DataFolderUnusable, with nothing left
        running.
        """
        self._lock = data_folder.take(self.settings.data_folder)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise DaemonFailed(self._failure)

    def stop(self) -> None:
        """Hold the arm, close the outbox, send what can be sent, end all within five seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def run(self) -> None:
        """Start, and run until SIGINT or SIGTERM. Raises DaemonFailed when it ended by itself."""
        ending = threading.Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            ending.set()
            self._stopping.set()  # while it still starts, too

        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.start()
            while not ending.wait(0.2) and self.running:
                pass
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._failure is not None:
            raise DaemonFailed(self._failure)

    # ---- the supervisor's own thread: every child is its child, and ends with it -----------------

    def _supervise(self) -> None:
        try:
            self._bring_up()
            self._ready.set()
            while not self._stopping.is_set() and self._failure is None:
                self._watch()
        except Exception as error:  # noqa: BLE001 (nothing reports an error in a thread)
            self._fail(error)
        finally:
            try:
                self._bring_down()
            except Exception as error:  # noqa: BLE001
                self._fail(error)
                self._kill_rest()
            self._ready.set()

    def _fail(self, error: Exception) -> None:
        """An unexpected error in the supervisor's thread ends the daemon; `run` reports it."""
        what = str(error) or type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            what = f"{error.strerror} ({error.filename})" if error.filename else error.strerror
        self._failure = self._failure or (
            f"the robot PC cannot go on: {what}; details in {self.settings.log_file}"
        )
        self._log.say("failed", error=repr(error), trace=traceback.format_exc())

    def _bring_up(self) -> None:
        remove_leftovers()
        self._memory = Memory(self.settings)
        if self.settings.lockstep:
            parties = tuple(c.entry.name for c in self._children.values() if c.entry.party)
            self._memory.register(parties)
        for child in self._children.values():  # side by side: loading and compiling take seconds
            if not child.entry.waits:
                self._spawn(child)
        for child in self._children.values():
            if child.entry.holds_up and not self._wait_until_ready(child, self._memory):
                name = child.entry.name
                self._failure = f"{name} did not start: its own message is above, in the log"
                return
        for child in self._children.values():
            if child.entry.waits and not self._stopping.is_set():
                self._spawn(child)

    def _wait_until_ready(self, child: _Child, memory: Memory) -> bool:
        ready, process = child.entry.ready, child.process
        deadline = time.monotonic() + _READY_S
        while ready is not None and process is not None and time.monotonic() < deadline:
            if ready(memory):
                return True
            if not process.is_alive() or self._stopping.wait(0.02):
                return self._stopping.is_set()
        return False

    def _spawn(self, child: _Child) -> None:
        name = child.entry.name
        child.process = self._context.Process(
            target=process_child.run,
            args=(name, self.settings, os.getpid()),
            name=name,
            daemon=True,
        )
        child.process.start()
        child.started_s = time.monotonic()
        self._log.say("started", child=name, pid=child.process.pid, restarts=child.restarts)

    def _watch(self) -> None:
        """Wait for a death, a restart that is due, or the end."""
        alive = {
            child.process.sentinel: child
            for child in self._children.values()
            if child.process is not None
        }
        for sentinel in wait(list(alive), timeout=0.1):
            self._died(alive[sentinel])  # pyright: ignore[reportArgumentType] (sentinels are ints)
        now = time.monotonic()
        for child in self._children.values():
            if child.process is None and now >= child.restart_at_s and self._failure is None:
                child.restarts += 1
                self._spawn(child)

    def _died(self, child: _Child) -> None:
        process, entry = child.process, child.entry
        if process is None:
            return
        process.join()
        code = process.exitcode
        process.close()
        child.process = None
        how = _how(code)
        self._log.say("ended unexpectedly", child=entry.name, how=how)
        if self.settings.lockstep and entry.party and self._memory is not None:
            self._memory.leave(entry.name)  # or virtual time would wait for it for ever
        if entry.when_it_dies is WhenItDies.END:
            self._failure = f"{entry.name} ended unexpectedly ({how}): the robot PC cannot go on"
            return
        if code is not None and code == entry.hopeless_exit:
            self._failure = (
                f"{entry.name} cannot run, and starting it again would not help: its own message "
                "is above, in the log"
            )
            return
        if entry.when_it_dies is WhenItDies.LATCH and self._had_begun(entry):
            self._latch(entry.name, how)
        ran_s = time.monotonic() - child.started_s
        doubled = min(max(2 * child.backoff_s, _FIRST_BACKOFF_S), _LONGEST_BACKOFF_S)
        child.backoff_s = _FIRST_BACKOFF_S if ran_s >= _STEADY_S else doubled
        child.restart_at_s = time.monotonic() + child.backoff_s

    def _had_begun(self, entry: ProcessEntry) -> bool:
        """Whether it may ever have moved the arm."""
        return self._memory is not None and (entry.ready is None or entry.ready(self._memory))

    def _latch(self, name: str, how: str) -> None:
        """Control comes back stopped; a person clears it."""
        file = self.settings.latch_file
        try:
            latch = replace(read_latch(file), stopped_by="the supervisor")
            if latch.cause is None:  # the first cause is the one to mend
                cause = sentence(FaultCode.CONTROL_LOST, process=name, how=how)
                latch = replace(latch, cause=cause, fault=FaultCode.CONTROL_LOST)
            write_latch(file, latch)
        except OSError as error:
            # Without the latch it must not come back at all: the arm has braked and stays so.
            self._failure = (
                f"{name} ended unexpectedly ({how}) and the stop latch cannot be written: {error}"
            )

    # ---- the end --------------------------------------------------------------------------------

    def _bring_down(self) -> None:
        """Hold the arm, then close what was recorded, then everything else, the arm last."""
        deadline = time.monotonic() + _ENDING_S
        self._log.say("ending", why=self._failure or "asked to")
        first, then, late, last = (self._that_end(stage) for stage in Ends)
        self._end(first)
        memory = self._memory
        if memory is not None and not self.settings.lockstep:
            memory.wait_still(_HOLD_S)
        self._join(first, min(deadline - _FLUSH_S, time.monotonic() + _HOLD_S))
        self._end(then)  # the arm's own watchdog brakes whatever still moved
        self._end(late)
        self._join((*first, *then, *late), deadline - 0.5)
        for child in last:
            if memory is not None and child.entry.ask_to_end is not None:
                child.entry.ask_to_end(memory)
        self._join(last, deadline - 0.25)
        self._end(last)
        everything = tuple(self._children.values())
        self._join(everything, deadline)
        for child in everything:
            if child.process is not None:
                self._log.say("killed: it did not end in time", child=child.entry.name)
        self._kill_rest()
        self._log.say("ended")

    def _kill_rest(self) -> None:
        """After this nothing of this daemon is left but what it recorded."""
        for child in self._children.values():
            if child.process is not None:
                child.process.kill()
        self._join(tuple(self._children.values()), time.monotonic() + 5.0)
        if self._memory is not None:
            self._memory.remove()
            self._memory = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _that_end(self, stage: Ends) -> tuple[_Child, ...]:
        return tuple(child for child in self._children.values() if child.entry.ends is stage)

    def _end(self, children: tuple[_Child, ...]) -> None:
        for child in children:
            if child.process is not None:
                child.process.terminate()

    def _join(self, children: tuple[_Child, ...], deadline_s: float) -> None:
        for child in children:
            if child.process is None:
                continue
            child.process.join(max(deadline_s - time.monotonic(), 0.0))
            if child.process.exitcode is None:
                continue
            if child.process.exitcode not in (0, -signal.SIGTERM):
                self._log.say("ended", child=child.entry.name, how=_how(child.process.exitcode))
            child.process.close()
            child.process = None
            if self.settings.lockstep and child.entry.party and self._memory is not None:
                self._memory.leave(child.entry.name)


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
