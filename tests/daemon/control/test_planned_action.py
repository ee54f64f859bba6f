"""What leaves a chunk for the gate: held to −1 … 1, and never a motion made of no number."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from robot_rl.daemon import topics
from robot_rl.daemon.control.chunk import ChunkPlan, PlannedAction
from robot_rl.daemon.control.grid import ArmColumns
from robot_rl.schema.live.client_message import BeginReset, ClientMessage
from robot_rl.schema.message import new_id
from safety.faults import FaultCode

STEP_NS, COLUMNS = 100_000_000, 7
ARM = ArmColumns(scale=np.full(6, 0.01), pose=slice(0, 6), gripper=6)


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
        risk_threshold=None,
        policy_version=1,
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_infinity_is_no_full_speed(value: float) -> None:
    target = planned([value, 2.0, -3.0, 0.5, 0, 0, 1]).target(STEP_NS, ARM, gripper=True)
    assert np.isnan(target.delta).all()


def test_what_is_too_large_is_held_to_the_full_action() -> None:
    target = planned([0.1, 2.0, -3.0, 0.5, 0, 0, 1]).target(STEP_NS, ARM, gripper=True)
    assert target.delta[:4] == pytest.approx([0.001, 0.01, -0.01, 0.005])


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (topics.NO_CRITIC, None),
        (0.0, 0.0),
        (0.25, 0.25),
        (1.0, 1.0),
        (np.nan, 1.0),
        (np.inf, 1.0),
        (-0.5, 1.0),
        (1.5, 1.0),
    ],
)
@pytest.mark.injects(FaultCode.CRITIC_INVALID)
def test_a_critic_that_failed_counts_as_risk_one(said: float, means: float | None) -> None:
    chunk = np.zeros(1, topics.chunk_type(COLUMNS))
    chunk["chunk_id"], chunk["count"], chunk["dt_ns"], chunk["risk"] = 1, 1, 100, said
    plan = ChunkPlan()
    plan.see(chunk[0])
    action = plan.at(50, None)
    assert action is not None
    assert action.target(STEP_NS, ARM, gripper=True).risk == means


@pytest.mark.parametrize("seed", [-1, 2**31, 2**63])
def test_a_seed_that_no_process_could_keep_is_refused(seed: int) -> None:
    text = f'{{"kind": "begin_reset", "request_id": "{new_id()}", "seed": {seed}}}'
    with pytest.raises(ValidationError):
        TypeAdapter[ClientMessage](ClientMessage).validate_json(text)
    assert BeginReset(request_id=new_id(), seed=2**31 - 1).seed == 2**31 - 1
