"""Where the policy thinks: in real time beside the loop that observes and records, which never
waits for it; in lock-step within the loop, because there time waits.

One question is thought about at a time. A question that comes meanwhile waits, and a newer one
takes its place: what is decided next is decided on the newest observation.

No jump of the wall clock stretches a wait: `threading` waits by CLOCK_MONOTONIC. (CPython's lock
with a timeout is sem_clockwait since 3.11, where glibc has it, from 2.30 on; Python says so in
sysconfig's HAVE_SEM_CLOCKWAIT. `bench faults` jumps the wall clock under the whole cell.)
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hardware.clock import Clock
from robot_rl.daemon.actor.policy import Decider
from robot_rl.daemon.actor.sensors import SensorReading
from robot_rl.policy.interface import BadObservation, Chunk, NoAnswer, Observation, RunningChunk

_END_S = 1.0  # for a thought to end with the process; a longer one is cut off


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """One observation, and who decides on it."""

    reading: SensorReading
    observe: Callable[[], Observation]  # decodes its images; raises BadObservation
    decider: Decider
    epoch: int  # of control's mode at T_k
    followed: bool  # control followed the policy at T_k
    running: RunningChunk | None = None  # meanwhile

    def answered(self) -> "Thought":
        """Think. What goes wrong is part of the answer."""
        began = time.perf_counter()
        try:
            chunk = self.decider.act(self.observe(), self.running)
        except BadObservation as error:
            return Thought(question=self, blind=str(error))
        except NoAnswer as error:
            return Thought(question=self, silent=str(error))
        except Exception as error:  # noqa: BLE001 (raised again by who takes the answer)
            return Thought(question=self, error=error)
        return Thought(question=self, chunk=chunk, inference_s=time.perf_counter() - began)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thought:
    """Either a chunk, or why the policy cannot see or gives no answer, or an error that nobody
    foresaw.
    """

    question: Question
    chunk: Chunk | None = None
    blind: str = ""
    silent: str = ""
    error: Exception | None = None
    inference_s: float = 0.0  # of this answer, as its steps record it


class Thinker(Protocol):
    """Questions in, answers out, in order; at most one waits."""

    @property
    def busy(self) -> bool:
        """Whether it thinks, or its answer is not taken yet."""
        ...

    def ask(self, question: Question) -> None:
        """Never waits for an answer."""
        ...

    def forget(self) -> None:
        """What was asked so far is not to be answered any more."""
        ...

    def answers(self) -> list[Thought]:
        """Those that came since the last call."""
        ...

    def wait(self, clock: Clock, t_ns: int, timeout_s: float) -> bool:
        """Until `t_ns`: True. False as soon as it has answered, or when time is out."""
        ...

    def close(self) -> None:
        """Nothing is asked any more."""
        ...


class AtOnce:
    """Whoever asks has the answer: for lock-step."""

    busy = False

    def __init__(self) -> None:
        self._answers: list[Thought] = []

    def ask(self, question: Question) -> None:
        self._answers.append(question.answered())

    def forget(self) -> None:
        self._answers.clear()

    def answers(self) -> list[Thought]:
        found, self._answers = self._answers, []
        return found

    def wait(self, clock: Clock, t_ns: int, timeout_s: float) -> bool:
        return clock.wait_until_ns(t_ns, timeout_s)

    def close(self) -> None:
        """There is nothing to end."""


class Beside:
    """A thread that thinks while its process goes on. `prepare` runs in it first."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._lock = threading.Condition()
        self._waiting: Question | None = None
        self._thinking: Question | None = None
        self._computes = False  # whether anybody wants the answer or not
        self._answers: list[Thought] = []
        self._arrived = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="thinking", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        with self._lock:
            return self._computes or self._waiting is not None or bool(self._answers)

    def ask(self, question: Question) -> None:
        with self._lock:
            self._waiting = question
            self._lock.notify()

    def forget(self) -> None:
        with self._lock:
            self._waiting = self._thinking = None
            self._answers.clear()
            self._arrived.clear()

    def answers(self) -> list[Thought]:
        with self._lock:
            self._arrived.clear()
            found, self._answers = self._answers, []
            return found

    def wait(self, clock: Clock, t_ns: int, timeout_s: float) -> bool:
        left_s = (t_ns - clock.now_ns()) * 1e-9
        if left_s <= 0.0:
            return True
        self._arrived.wait(min(left_s, timeout_s))
        return clock.now_ns() >= t_ns

    def close(self) -> None:
        """An answer that takes longer than a second is not waited for."""
        with self._lock:
            self._ended = True
            self._waiting = self._thinking = None
            self._lock.notify()
        self._thread.join(_END_S)

    def _run(self) -> None:
        self._prepare()
        while (question := self._next()) is not None:
            answer = question.answered()
            with self._lock:
                if self._thinking is question:  # else it was forgotten meanwhile
                    self._answers.append(answer)
                self._computes = False
                self._arrived.set()

    def _next(self) -> Question | None:
        with self._lock:
            while self._waiting is None and not self._ended:
                self._lock.wait()
            self._thinking, self._waiting = self._waiting, None
            self._computes = self._thinking is not None
            return self._thinking
