"""What leaves a chunk for the gate: held to −1 … 1, and never a motion made of no number."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from robot_rl.daemon.control_chunk import PlannedAction
from robot_rl.schema.live import BeginReset, ClientMessage
from robot_rl.schema.message import new_id


def planned(action: list[float]) -> PlannedAction:
    return PlannedAction(
        chunk_id=1,
        index=0,
        epoch=1,
        observed_ns=0,
        valid_from_ns=0,
        valid_until_ns=1,
        action=np.array(action),
        risk=None,
        policy_version=1,
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_infinity_is_no_full_speed(value: float) -> None:
    target = planned([value, 2.0, -3.0, 0.5, 0, 0, 1]).target(
        np.full(6, 0.01), 100_000_000, gripper=True
    )
    assert np.isnan(target.delta[0])
    assert target.delta[1:4] == pytest.approx([0.01, -0.01, 0.005])


@pytest.mark.parametrize("seed", [-1, 2**31, 2**63])
def test_a_seed_that_no_process_could_keep_is_refused(seed: int) -> None:
    text = f'{{"kind": "begin_reset", "request_id": "{new_id()}", "seed": {seed}}}'
    with pytest.raises(ValidationError):
        TypeAdapter[ClientMessage](ClientMessage).validate_json(text)
    assert BeginReset(request_id=new_id(), seed=2**31 - 1).seed == 2**31 - 1
