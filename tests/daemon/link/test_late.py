"""A line that delivers late: in order, after the delay that the task's simulation asks for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from robot_rl.daemon.link.late import LateCommands
from robot_rl.daemon.link.lockstep import Turns
from robot_rl.daemon.link.pacer import Pacer
from robot_rl.daemon.settings import TURN_NS
from robot_rl.schema.live.client_message import (
    ClientMessage,
    Drive,
    JoinLockstep,
    LeaveLockstep,
    Ready,
    Stop,
)
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.message import new_id
from tests.daemon.link.test_pacer import GoingClock

MS = 1_000_000
PERIOD_NS = 5 * MS
CLIENT = new_id()


def said(message: ClientMessage, client: UUID = CLIENT) -> FromClient:
    return FromClient(client_id=client, user="ada", message=message)


def drive(number: int) -> FromClient:
    return said(
        Drive(sequence=number, lease_epoch=1, echo_t_ns=0, deadman=True, axes=(0.0,) * 6, device="")
    )


def line(least_ms: int, most_ms: int) -> LateCommands:
    return LateCommands((least_ms * MS, most_ms * MS), PERIOD_NS, seed=3)


def test_without_a_delay_nothing_is_on_its_way() -> None:
    late = line(0, 0)
    assert not late.send(drive(1), 0)
    assert late.next_ns is None


def test_a_command_arrives_after_its_delay_a_stop_too() -> None:
    late = line(150, 150)
    stop = said(Stop(request_id=new_id(), echo_t_ns=0))
    assert late.send(stop, 1000)
    assert late.next_ns == 1000 + 150 * MS
    assert late.arrived(150 * MS) == []
    assert late.arrived(1000 + 150 * MS) == [stop]
    assert late.next_ns is None


def test_delays_are_whole_periods_within_their_range_and_nothing_overtakes() -> None:
    late, apart_ns = line(20, 150), 300 * MS
    alone: list[int] = []
    for number in range(200):
        late.send(drive(number), number * apart_ns)
        due_ns = late.next_ns
        assert due_ns is not None
        alone.append(due_ns - number * apart_ns)
        assert late.arrived(due_ns) == [drive(number)]
    assert (min(alone), max(alone)) == (20 * MS, 150 * MS)
    assert {delay_ns % PERIOD_NS for delay_ns in alone} == {0}
    many = [drive(number) for number in range(200)]
    for number, each in enumerate(many):  # a console speaks fifty times a second
        late.send(each, number * 20 * MS)
    close: list[FromClient] = []
    while (due_ns := late.next_ns) is not None:
        close += late.arrived(due_ns)
    assert close == many


def test_virtual_time_is_agreed_on_at_once() -> None:
    late = line(150, 150)
    for message in (
        JoinLockstep(request_id=new_id(), echo_t_ns=0),
        LeaveLockstep(request_id=new_id(), echo_t_ns=0),
        Ready(t_ns=0),
    ):
        assert not late.send(said(message), 0)


def test_of_a_client_that_is_gone_nothing_arrives_any_more() -> None:
    late, other = line(20, 20), said(Stop(request_id=new_id(), echo_t_ns=0), new_id())
    late.send(drive(1), 0)
    late.send(other, 0)
    late.forget(CLIENT)
    assert late.arrived(20 * MS) == [other]


def test_lock_step_hands_over_at_the_instant_of_arrival() -> None:
    """Between two turns too: time is granted up to it first, and then up to the turn."""
    clock, turns, late = GoingClock(), Turns(), line(70, 70)
    turns.join(CLIENT, "ada")
    delivered: list[int] = []

    def wait_until_ns(t_ns: int, timeout_s: float) -> bool:
        clock.t_ns = t_ns
        if t_ns // TURN_NS == 14:
            raise TimeoutError("the test is over")
        return True

    def tell(kind: str, message: Any) -> None:
        if message.t_ns // TURN_NS in (10, 11):
            late.send(drive(message.t_ns // TURN_NS), clock.t_ns)
        turns.ready(CLIENT, message.t_ns)

    def deliver(now_ns: int) -> None:
        delivered.extend(now_ns for _ in late.arrived(now_ns))

    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            pacer = Pacer(
                cast(Any, SimpleNamespace(control_period_ns=PERIOD_NS, lockstep_clients=0)),
                cast(Any, clock), pool, turns, cast(Any, SimpleNamespace(show=tell)), None,
                online=lambda: True, drain=lambda: None, show=lambda: None,
                standing=lambda: None, log=lambda _: None, late=late, deliver=deliver,
            )  # fmt: skip
            try:
                await pacer.run()
            except TimeoutError:
                return

    clock.wait_until_ns = wait_until_ns
    asyncio.run(run())
    first_ns = 10 * TURN_NS + PERIOD_NS // 4
    assert delivered == [first_ns + 70 * MS, first_ns + TURN_NS + 70 * MS]
    grid = [first_ns + number * TURN_NS for number in range(5)]
    assert clock.granted == sorted([*grid, *delivered])
