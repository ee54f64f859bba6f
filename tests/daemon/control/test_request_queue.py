"""A flood of requests does not hold up control, and a stop does not wait for it."""

from itertools import chain
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from hardware.memory import Ring
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control.request_queue import A_TICK, RequestQueue
from robot_rl.schema.live.client_message import Clear, Pause, SetLimitProfile, Stop
from robot_rl.schema.live.robot_command import ClientGone, FromClient
from safety.vocabulary import Mode
from tests.daemon.control.stand import ControlStand

ADA = UUID(int=1)


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return topics.open_ring(tmp_path, "control_requests")


@pytest.fixture
def queue(ring: Ring) -> RequestQueue:
    return RequestQueue(ring)


def put(ring: Ring, *kinds: type) -> list[UUID]:
    """Requests of ada's, and their ids."""
    ids: list[UUID] = []
    for kind in kinds:
        fields = {"profile": "fragile", "on": True} if kind is SetLimitProfile else {}
        request = kind(request_id=uuid4(), echo_t_ns=0, **fields)
        assert messages.send(ring, FromClient(client_id=ADA, user="ada", message=request))
        ids.append(request.request_id)
    return ids


def taken(queue: RequestQueue) -> list[UUID]:
    """The ids of what one tick carries out."""
    found = queue.take()
    assert all(isinstance(each, FromClient) for each in found)
    return [each.message.request_id for each in found if isinstance(each, FromClient)]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_tick_carries_out_a_few_and_the_order_stays(ring: Ring, queue: RequestQueue) -> None:
    asked = put(ring, *[Pause] * 10)
    ticks = [taken(queue) for _ in range(4)]
    assert [len(tick) for tick in ticks] == [A_TICK, A_TICK, 2, 0]
    assert [*chain(*ticks)] == asked


def test_a_stop_waits_for_none_of_them(ring: Ring, queue: RequestQueue) -> None:
    others = put(ring, *[SetLimitProfile] * 63)
    (stop,) = put(ring, Stop)
    first = taken(queue)
    assert first == [stop, *others[:A_TICK]]
    assert [*chain(*(taken(queue) for _ in range(20)))] == others[A_TICK:]


def test_a_clear_from_before_a_stop_does_not_undo_it(ring: Ring, queue: RequestQueue) -> None:
    """Were it carried out after the stop that overtook it, the robot would be free again."""
    put(ring, *[Pause] * 8)
    early, stop, late = put(ring, Clear, Stop, Clear)
    first = taken(queue)
    assert first[:2] == [early, stop]
    assert late not in first
    stand = ControlStand()
    for _ in range(2):  # free, and stopped already
        stand.tick(Clear(request_id=uuid4(), echo_t_ns=0), Stop(request_id=uuid4(), echo_t_ns=0))
        assert stand.mode == Mode.STOPPED


def test_a_text_that_speaks_of_a_stop_is_none(ring: Ring, queue: RequestQueue) -> None:
    put(ring, *[Pause] * 8)
    request = Pause(request_id=uuid4(), echo_t_ns=0)
    said = FromClient(client_id=ADA, user='"kind":"stop"', message=request)
    assert messages.send(ring, said)
    assert request.request_id not in taken(queue)


def test_a_client_that_is_gone_keeps_its_place(ring: Ring, queue: RequestQueue) -> None:
    put(ring, Pause)
    assert messages.send(ring, ClientGone(client_id=ADA))
    assert isinstance(queue.take()[1], ClientGone)


def test_requests_that_come_while_others_wait_come_after_them(
    ring: Ring, queue: RequestQueue
) -> None:
    before = put(ring, *[Pause] * 6)
    assert taken(queue) == before[:A_TICK]
    after = put(ring, *[Pause] * 2)
    assert taken(queue) == [*before[A_TICK:], *after]
