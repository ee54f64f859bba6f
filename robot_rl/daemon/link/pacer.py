"""Lock-step at the link: it grants virtual time for everybody outside the robot PC.

Virtual time begins when all who are to take part are there, goes on turn by turn when the clients
have answered, and waits at every meeting for the durable path and the learner.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from hardware.clock import Clock
from robot_rl.daemon.link.late import LateCommands
from robot_rl.daemon.link.lockstep import PATIENCE_S, Turns
from robot_rl.daemon.link.mailbox import LiveOutbound
from robot_rl.daemon.link.meeting import Meetings
from robot_rl.daemon.settings import TURN_NS, DaemonSettings
from robot_rl.schema.live.robot_message import LockstepTurn

SHOW_S = 0.05  # wall time between two tellings while nobody has joined
_WAIT_S = 0.25


class Pacer:
    """One event loop's. `moved` is set whenever a client has spoken or gone."""

    def __init__(
        self,
        settings: DaemonSettings,
        clock: Clock,
        pool: ThreadPoolExecutor,
        turns: Turns,
        mailbox: LiveOutbound,
        meetings: Meetings | None,
        *,
        online: Callable[[], bool],
        drain: Callable[[], None],
        show: Callable[[], None],
        standing: Callable[[], object],
        log: Callable[[str], None],
        late: LateCommands | None = None,
        deliver: Callable[[int], None] = lambda _now_ns: None,
    ) -> None:
        """`drain` sends what control and actor answered, `show` how the robot stands now; what
        `standing` returns changes with everything that ends a client's rest. `late` commands are
        handed over by `deliver`, at the instant when they arrive.
        """
        self._late, self._deliver = late, deliver
        self._settings, self._clock, self._pool = settings, clock, pool
        self._turns, self._mailbox, self._meetings = turns, mailbox, meetings
        self._online, self._drain, self._show, self._log = online, drain, show, log
        self._standing, self._stood = standing, object()
        self._shown_s = 0.0
        self.moved = asyncio.Event()

    async def run(self) -> None:
        """A turn every 50 ms of virtual time, a quarter of a control period after control's tick,
        unless there is no news and every client has said that it needs none yet.

        Control ticks at whole periods and the actor attends half a period after one, so nothing
        else happens at that instant: what is told, and who reads the answers next, does not depend
        on which process was faster.
        """
        offset_ns = self._settings.control_period_ns // 4
        await self._begin()
        # Only now: until a link that was started again begins, time may have gone on.
        turn_ns = self._clock.now_ns() // TURN_NS * TURN_NS + offset_ns
        while True:
            await self._reach(turn_ns)
            self._drain()
            if self._online() and self._turns.joined:
                await self._turn(turn_ns)
            elif self._show_now_and_then():
                await asyncio.sleep(0)  # let the socket have its turn, however fast time runs
            if self._meetings is not None and self._meetings.due(turn_ns, turn_ns - TURN_NS):
                await self._while_showing(self._meetings.hold())
            turn_ns += TURN_NS

    async def _reach(self, turn_ns: int) -> None:
        """Let time run to the turn. A delay is whole control periods, so that what arrives on the
        way comes as far behind a tick of control as a turn does.
        """
        late = self._late
        while late is not None and (due_ns := late.next_ns) is not None and due_ns <= turn_ns:
            await self._until(due_ns)
            self._deliver(due_ns)
        await self._until(turn_ns)

    async def _until(self, t_ns: int) -> None:
        loop = asyncio.get_running_loop()
        self._clock.grant_until_ns(t_ns)
        while not await loop.run_in_executor(self._pool, self._clock.wait_until_ns, t_ns, _WAIT_S):
            pass

    async def _turn(self, turn_ns: int) -> None:
        stands = self._standing()
        if stands == self._stood and not self._turns.due(turn_ns):
            return
        self._stood = stands
        self._show()
        self._turns.begin(turn_ns)
        self._mailbox.show("turn", LockstepTurn(t_ns=turn_ns))
        await self._wait_for_clients()

    async def _begin(self) -> None:
        """Virtual time begins when the clients that were promised, and the learner, are there."""
        promised = self._settings.lockstep_clients
        if promised and self._clock.now_ns() == 0:  # a link that was started again asks nobody
            self._log(f"virtual time begins when {promised} client(s) have joined")
            await self._while_showing(self._wait_for_joining(promised))
        if self._meetings is not None:
            await self._while_showing(self._meetings.begin())

    async def _wait_for_joining(self, count: int) -> None:
        while len(self._turns.joined) < count:
            await self._movement()

    async def _wait_for_clients(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self._turns.owing:
            if time.monotonic() >= deadline:
                names = ", ".join(self._turns.drop_owing())
                self._log(
                    f"lock-step waited {PATIENCE_S:.0f} s for {names}, without an answer: going on"
                )
                return
            await self._movement()

    async def _while_showing[R](self, waiting: Coroutine[Any, Any, R]) -> R:
        """Wait, and meanwhile go on telling how the robot stands."""
        task = asyncio.ensure_future(waiting)
        try:
            while not (await asyncio.wait((task,), timeout=4 * SHOW_S))[0]:
                self._show_now_and_then()
            return task.result()
        finally:
            task.cancel()

    def _show_now_and_then(self) -> bool:
        now = time.monotonic()
        due = now - self._shown_s >= SHOW_S
        if due:
            self._shown_s = now
            self._show()
        return due

    async def _movement(self) -> None:
        """Wait until somebody has spoken, or a while."""
        self.moved.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.moved.wait(), _WAIT_S)
