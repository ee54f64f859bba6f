"""A flood of requests does not hold up control, and a stop does not wait for it."""

from itertools import chain
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from hardware.memory import Ring
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control.request_queue import A_TICK, RequestQueue, Taken
from robot_rl.daemon.control.sentences import CLEAR_OVERTAKEN
from robot_rl.schema.live.client_message import Clear, Pause, SetLimitProfile, Stop
from robot_rl.schema.live.robot_command import ClientGone, FromClient
from safety.vocabulary import Mode
from tests.daemon.control.stand import ControlStand

ADA = UUID(int=1)


@pytest.fixture
def queue(tmp_path: Path) -> RequestQueue:
    return RequestQueue(tmp_path)


@pytest.fixture
def ring(tmp_path: Path, queue: RequestQueue) -> Ring:
    return topics.open_ring(tmp_path, "control_requests")


@pytest.fixture
def stops(tmp_path: Path, queue: RequestQueue) -> Ring:
    return topics.open_ring(tmp_path, "stop_requests")


def put(ring: Ring, *kinds: type) -> list[UUID]:
    """Requests of ada's, and the ids of those that the ring took."""
    ids: list[UUID] = []
    for kind in kinds:
        fields = {"profile": "fragile", "on": True} if kind is SetLimitProfile else {}
        request = kind(request_id=uuid4(), echo_t_ns=0, **fields)
        if messages.send(ring, FromClient(client_id=ADA, user="ada", message=request)):
            ids.append(request.request_id)
    return ids


def ids(requests: list[FromClient | ClientGone] | list[FromClient]) -> list[UUID]:
    found = [each for each in requests if isinstance(each, FromClient)]
    assert len(found) == len(requests)
    return [each.message.request_id for each in found]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_tick_carries_out_a_few_and_the_order_stays(ring: Ring, queue: RequestQueue) -> None:
    asked = put(ring, *[Pause] * 10)
    ticks = [ids(queue.take().requests) for _ in range(4)]
    assert [len(tick) for tick in ticks] == [A_TICK, A_TICK, 2, 0]
    assert [*chain(*ticks)] == asked


def test_a_flood_that_lasts_fills_its_ring_and_nothing_else(
    ring: Ring, stops: Ring, queue: RequestQueue
) -> None:
    """15 requests a tick: what control does not take the link refuses, and a stop goes through."""
    taken = refused = 0
    for _ in range(400):
        refused += 15 - len(put(ring, *[Pause] * 15))
        taken += len(queue.take().requests)
    assert taken == 400 * A_TICK
    assert refused == 400 * 15 - taken - (ring.pushed - ring.popped)
    (stop,) = put(stops, Stop)
    assert ids(queue.take().requests)[0] == stop


def test_stops_are_bounded_too(stops: Ring, queue: RequestQueue) -> None:
    asked = put(stops, *[Stop] * 6)
    assert ids(queue.take().requests) == asked[:A_TICK]
    assert ids(queue.take().requests) == asked[A_TICK:]


def test_a_clear_from_before_a_stop_is_void_and_one_after_it_is_not(
    ring: Ring, stops: Ring, queue: RequestQueue
) -> None:
    """Were it carried out after the stop that overtook it, the robot would be free again."""
    put(ring, *[Pause] * 5)
    (early,) = put(ring, Clear)
    (stop,) = put(stops, Stop)
    first = queue.take()
    assert ids(first.requests)[0] == stop
    (late,) = put(ring, Clear)
    second = queue.take()
    assert ids(second.void) == [early]
    assert late in ids(second.requests)


def test_who_asked_for_a_void_clear_is_told() -> None:
    stand = ControlStand()
    stand.tick(Stop(request_id=uuid4(), echo_t_ns=0))
    clear = Clear(request_id=uuid4(), echo_t_ns=0)
    stand.tick(void=[stand.from_ada(clear)])
    stand.run(100)
    answer = stand.answer(clear.request_id)
    assert answer is not None
    assert (answer.accepted, answer.reason) == (False, CLEAR_OVERTAKEN)
    assert stand.mode == Mode.STOPPED


def test_a_client_that_is_gone_keeps_its_place(ring: Ring, queue: RequestQueue) -> None:
    put(ring, Pause)
    assert messages.send(ring, ClientGone(client_id=ADA))
    assert isinstance(queue.take().requests[1], ClientGone)
    assert queue.take() == Taken()
