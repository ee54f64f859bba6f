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


def chunk(stand: ControlStand, observed_ns: int, count: int) -> Any:
    record = np.zeros(1, topics.chunk_type(COLUMNS))[0]
    record["chunk_id"], record["count"] = observed_ns // STEP, count
    record["observation_ns"], record["valid_from_ns"] = observed_ns, observed_ns + DELAY
    record["dt_ns"], record["epoch"] = STEP, stand.status["epoch"]
    record["risk"] = record["risk_threshold"] = topics.NO_CRITIC
    record["actions"][:count, 0] = 0.1
    return record


late_chunks = st.lists(
    st.tuples(
        st.integers(0, 140),  # ticks from the observation until the chunk is there
        st.integers(1, 8),  # actions
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=25, deadline=None)
@given(late_chunks)
def test_a_window_has_one_action_and_its_record_names_it(chunks: list[tuple[int, int]]) -> None:
    stand = ControlStand()
    stand.begin_autonomy()
    first = stand.now_ns // STEP + 1
    arriving: dict[int, Any] = {}
    for number, (late, count) in enumerate(chunks):
        observed_ns = (first + number) * STEP
        arriving[observed_ns + late * TICK] = chunk(stand, observed_ns, count)
    acted: dict[int, set[tuple[int, int]]] = {}
    told: dict[int, tuple[int, int]] = {}
    while stand.now_ns < (first + len(chunks) + 18) * STEP:
        due = arriving.get(stand.now_ns + TICK)
        out = stand.tick(chunk=due) if due is not None else stand.tick()
        for result in out.step_results:
            if bytes(result["source"]).rstrip(b"\0") == Source.POLICY.encode():
                window = int(result["observation_ns"]) // STEP
                told[window] = int(result["chunk_id"]), int(result["chunk_index"])
        if (action := stand.controller.following) is not None:
            window = (stand.now_ns - DELAY) // STEP
            acted.setdefault(window, set()).add((action.chunk_id, action.index))
    assert {window: {named} for window, named in told.items()} == acted
