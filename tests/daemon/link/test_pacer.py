"""Lock-step at the link: the turns that a link grants and tells."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

from robot_rl.daemon.link.lockstep import Turns
from robot_rl.daemon.link.pacer import Pacer
from robot_rl.daemon.settings import TURN_NS
from robot_rl.schema.live.robot_message import LockstepTurn
from robot_rl.schema.message import new_id


class GoingClock:
    """Virtual time; who waits for an instant is there at once."""

    def __init__(self) -> None:
        self.t_ns = 10 * TURN_NS
        self.granted: list[int] = []

    def now_ns(self) -> int:
        return self.t_ns

    def grant_until_ns(self, t_ns: int) -> None:
        self.granted.append(t_ns)

    def wait_until_ns(self, t_ns: int, timeout_s: float) -> bool:
        raise TimeoutError("the test is over")


def test_a_link_started_again_repeats_no_turn_of_the_past() -> None:
    """Others still had time granted, and used it while the link waited to begin."""
    clock = GoingClock()

    async def begin() -> None:
        clock.t_ns += 100 * TURN_NS

    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            pacer = Pacer(
                cast(Any, SimpleNamespace(control_period_ns=4_000_000, lockstep_clients=0)),
                cast(Any, clock), pool, cast(Any, None), cast(Any, None),
                cast(Any, SimpleNamespace(begin=begin)),
                online=lambda: True, drain=lambda: None, show=lambda: None,
                standing=lambda: None, log=lambda _: None,
            )  # fmt: skip
            try:
                await pacer.run()
            except TimeoutError:
                return

    asyncio.run(run())
    assert clock.granted == [110 * TURN_NS + 1_000_000]


def test_a_client_that_rests_is_asked_again_when_there_is_news() -> None:
    """Without news the turns of its rest pass; then it is asked in the very next one."""
    clock, turns, client = GoingClock(), Turns(), new_id()
    turns.join(client, "ada")
    told: list[int] = []
    mode = "autonomous"

    def wait_until_ns(t_ns: int, timeout_s: float) -> bool:
        nonlocal mode
        clock.t_ns = t_ns
        if t_ns // TURN_NS == 17:
            mode = "paused"
        if t_ns // TURN_NS == 30:
            raise TimeoutError("the test is over")
        return True

    def tell(kind: str, message: LockstepTurn) -> None:
        told.append(message.t_ns // TURN_NS)
        turns.ready(client, message.t_ns, message.t_ns + 5 * TURN_NS)

    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            pacer = Pacer(
                cast(Any, SimpleNamespace(control_period_ns=4_000_000, lockstep_clients=0)),
                cast(Any, clock), pool, turns, cast(Any, SimpleNamespace(show=tell)), None,
                online=lambda: True, drain=lambda: None, show=lambda: None,
                standing=lambda: mode, log=lambda _: None,
            )  # fmt: skip
            try:
                await pacer.run()
            except TimeoutError:
                return

    clock.wait_until_ns = wait_until_ns
    asyncio.run(run())
    assert told == [10, 15, 17, 22, 27]
