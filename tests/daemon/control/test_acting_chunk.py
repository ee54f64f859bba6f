"""The record names the chunk and the index that the gate worked with, however late chunks come."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rl.daemon import topics
from safety.vocabulary import Source
from tests.daemon.control.stand import MS, ControlStand

STEP, DELAY, TICK = 100 * MS, 50 * MS, 5 * MS
COLUMNS = 7


def chunk(stand: ControlStand, observed_ns: int, count: int, first: int = 0) -> Any:
    record = np.zeros(1, topics.chunk_type(COLUMNS))[0]
    record["chunk_id"], record["count"] = observed_ns // STEP, count
    record["first"] = first
    record["observation_ns"], record["valid_from_ns"] = observed_ns, observed_ns + DELAY
    record["dt_ns"], record["epoch"] = STEP, stand.status["epoch"]
    record["risk"] = record["risk_threshold"] = topics.NO_CRITIC
    record["actions"][:count, 0] = 0.1
    return record


late_chunks = st.lists(
    st.tuples(
        st.integers(0, 140),  # ticks from the observation until the chunk is there
        st.integers(1, 8),  # actions
        st.integers(0, 4),  # of them run out in the chunk before
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=20, deadline=None)
@given(late_chunks)
def test_the_record_names_the_action_that_moved_it_first(
    chunks: list[tuple[int, int, int]],
) -> None:
    stand = ControlStand()
    stand.begin_autonomy()
    first = stand.now_ns // STEP + 1
    arriving: dict[int, Any] = {}
    for number, (late, count, passed) in enumerate(chunks):
        observed_ns = (first + number) * STEP
        arriving[observed_ns + late * TICK] = chunk(stand, observed_ns, count, passed)
    acted: dict[int, tuple[int, int]] = {}
    told: dict[int, tuple[int, int]] = {}
    while stand.now_ns < (first + len(chunks) + 18) * STEP:
        due = arriving.get(stand.now_ns + TICK)
        out = stand.tick(chunk=due) if due is not None else stand.tick()
        for result in out.step_results:
            if bytes(result["source"]).rstrip(b"\0") == Source.POLICY.encode():
                window = int(result["observation_ns"]) // STEP
                told[window] = int(result["chunk_id"]), int(result["chunk_index"])
        action = stand.controller.following
        if action is not None and stand.controller.source is Source.POLICY:
            window = (stand.now_ns - DELAY) // STEP
            acted.setdefault(window, (action.chunk_id, action.index))
    assert told == acted


def window_of(stand: ControlStand, *chunks: Any) -> tuple[list[int], Any]:
    """One window whose chunks come at its second tick, and each following one four later: which
    one moved the arm in each tick, and what the record says.
    """
    begins_ns = stand.now_ns + TICK
    assert begins_ns % STEP == DELAY
    moved: list[int] = []
    result: Any = None
    while result is None:
        tick = (stand.now_ns + TICK - begins_ns) // TICK
        due = chunks[tick // 4] if tick % 4 == 1 and tick // 4 < len(chunks) else None
        out = stand.tick(chunk=due) if due is not None else stand.tick()
        action = stand.controller.following
        policy = stand.controller.source is Source.POLICY
        moved.append(action.chunk_id if policy and action is not None else 0)
        result = next(
            (r for r in out.step_results if int(r["observation_ns"]) == begins_ns - DELAY), None
        )
    return moved[:-1], result


def at_a_window(mode: str = "autonomous") -> ControlStand:
    stand = ControlStand()
    if mode == "autonomous":
        stand.begin_autonomy()
    while (stand.now_ns + TICK) % STEP != DELAY or stand.now_ns < 10 * STEP:
        stand.tick()
    return stand


def test_a_chunk_that_comes_in_mid_window_is_for_the_next_one() -> None:
    stand = at_a_window()
    observed_ns = stand.now_ns + TICK - DELAY
    first, second = chunk(stand, observed_ns - STEP, 5), chunk(stand, observed_ns, 5)
    moved, result = window_of(stand, first, second)
    assert set(moved[1:]) == {int(first["chunk_id"])}
    assert (int(result["chunk_id"]), int(result["chunk_index"])) == (int(first["chunk_id"]), 1)


def test_what_is_frozen_runs_out_before_the_next_chunk_is_followed() -> None:
    stand = at_a_window()
    observed_ns = stand.now_ns + TICK - DELAY
    before, next_one = chunk(stand, observed_ns - STEP, 5), chunk(stand, observed_ns, 5, 2)
    arriving = {1: before, 5: next_one}
    told: list[tuple[int, int]] = []
    for tick in range(3 * STEP // TICK + 1):
        out = stand.tick(chunk=arriving[tick]) if tick in arriving else stand.tick()
        told += [
            (int(result["chunk_id"]) - int(before["chunk_id"]), int(result["chunk_index"]))
            for result in out.step_results
            if int(result["observation_ns"]) >= observed_ns
        ]
    assert told == [(0, 1), (0, 2), (1, 2)]


def test_an_action_that_the_gate_refuses_gives_way_at_once() -> None:
    stand = at_a_window()
    observed_ns = stand.now_ns + TICK - DELAY
    bad, good = chunk(stand, observed_ns - STEP, 5), chunk(stand, observed_ns, 5)
    bad["actions"][:] = np.nan
    moved, result = window_of(stand, bad, good)
    assert set(moved[:5]) == {0}
    assert set(moved[5:]) == {int(good["chunk_id"])}
    assert int(result["chunk_id"]) == int(good["chunk_id"])


def test_where_nobody_follows_the_record_names_the_newest_proposal() -> None:
    stand = at_a_window("idle")
    observed_ns = stand.now_ns + TICK - DELAY
    first, second = chunk(stand, observed_ns - STEP, 5), chunk(stand, observed_ns, 5)
    moved, result = window_of(stand, first, second)
    assert set(moved) == {0}
    assert (int(result["chunk_id"]), int(result["chunk_index"])) == (int(second["chunk_id"]), 0)
