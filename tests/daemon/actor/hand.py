"""Time and thought as the test moves them: nothing passes and nothing is answered by itself."""

from collections.abc import Callable

from hardware.clock import Clock
from robot_rl.daemon.actor.thinking import AtOnce, Question, Thought

MS = 1_000_000
STEP = 100 * MS


class HandClock:
    """Real time, as the test moves it: whoever waits makes it pass.

    As in lock-step nobody may wait for what they have not granted: that wait would never end.
    """

    virtual = False

    def __init__(self, passes: Callable[[int], None]) -> None:
        self.t_ns = 10 * STEP
        self._granted_ns = 0
        self._passes = passes

    def now_ns(self) -> int:
        return self.t_ns

    def wait_until_ns(self, t_ns: int, timeout_s: float = 1.0) -> bool:
        assert t_ns <= max(self._granted_ns, self.t_ns), "in lock-step time would stop for good"
        self._passes(t_ns)
        return True

    def grant_until_ns(self, t_ns: int) -> None:
        self._granted_ns = t_ns

    def leave(self) -> None:
        """Real time waits for nobody."""


class HandThinker(AtOnce):
    """Thinks as long as the test says, by the clock of the test; the loop goes on meanwhile."""

    def __init__(self, clock: HandClock, slow_ns: dict[int, int]) -> None:
        super().__init__()
        self._clock, self._slow_ns = clock, slow_ns
        self._thought: Thought | None = None
        self._ready_ns = 0

    @property
    def busy(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._thought is not None

    def ask(self, question: Question) -> None:
        assert not self.busy, "it is asked when it has time"
        self._thought = question.answered()
        self._ready_ns = self._clock.t_ns + self._slow_ns.pop(question.reading.grid_ns, 0)

    def forget(self) -> None:
        super().forget()
        self._thought = None

    def answers(self) -> list[Thought]:
        if self._thought is not None and self._ready_ns <= self._clock.t_ns:
            self._answers.append(self._thought)
            self._thought = None
        return super().answers()

    def wait(self, clock: Clock, t_ns: int, timeout_s: float) -> bool:
        thinks = self._thought is not None and self._ready_ns < t_ns
        clock.wait_until_ns(max(self._ready_ns, self._clock.t_ns) if thinks else t_ns, timeout_s)
        return not thinks
