"""The risk critic answers no probability, or nothing (fault 12): control counts it as risk 1."""

import numpy as np
import pytest

from robot_rl.daemon import topics
from safety.faults import FAULTS, FaultCode
from safety.vocabulary import Limit
from tests.faults.cell import FULL, FaultCell
from tests.faults.conftest import MakeCell

DECISIONS = FAULTS[FaultCode.CRITIC_INVALID].bound
assert DECISIONS is not None
STEP_MS = 100
FAILURES = {"not a number": np.nan, "infinite": np.inf, "no probability": -0.2, "above one": 1.5}


def decide(
    cell: FaultCell, decisions: int, risk: float, *, threshold: float = topics.NO_CRITIC
) -> None:
    """The policy decides at each step: a chunk of full actions with this risk, and the threshold of
    its own critic.
    """
    for _ in range(decisions):
        cell.offer([FULL] * 8, risk=risk, risk_threshold=threshold)
        cell.run(STEP_MS)


def driven_by_a_judged_policy(make_cell: MakeCell, *, required: bool = True) -> FaultCell:
    cell = make_cell()
    cell.set_critic(required=required, threshold=0.5)
    cell.begin_autonomy()
    decide(cell, 5, risk=0.1)
    assert cell.speed_m_s() > 0.2, "a low risk holds nothing back"
    return cell


@pytest.mark.injects(FaultCode.CRITIC_INVALID)
@pytest.mark.parametrize("answer", [*FAILURES.values(), topics.NO_CRITIC], ids=[*FAILURES, "none"])
def test_an_answer_that_is_none_holds_within_two_decisions(
    make_cell: MakeCell, answer: float
) -> None:
    cell = driven_by_a_judged_policy(make_cell)
    failed_ns = cell.now_ns
    decide(cell, 6, risk=answer)
    assert DECISIONS is not None
    assert cell.hold_after_ms(failed_ns) <= DECISIONS.count * STEP_MS
    assert Limit.RISK in cell.loop.controller.limits
    steps = cell.ring("step_results").drain()
    assert bytes(steps[-1]["source"]) == b"hold"
    assert bytes(steps[-1]["reject_reason"]) == b"risk"
    decide(cell, 4, risk=0.1)
    assert cell.speed_m_s() > 0.1, "a critic that answers again lets it go on"


@pytest.mark.injects(FaultCode.CRITIC_INVALID)
@pytest.mark.parametrize("threshold", [0.5, np.nan, np.inf, -0.5])
def test_by_the_critics_own_threshold_as_well_which_may_fail_too(
    cell: FaultCell, threshold: float
) -> None:
    cell.begin_autonomy()
    decide(cell, 5, risk=0.1, threshold=0.5)
    assert cell.speed_m_s() > 0.2
    failed_ns = cell.now_ns
    decide(cell, 6, risk=np.nan if threshold == 0.5 else 0.1, threshold=threshold)
    assert DECISIONS is not None
    assert cell.hold_after_ms(failed_ns) <= DECISIONS.count * STEP_MS


@pytest.mark.unprotected(FaultCode.CRITIC_INVALID)
def test_control_where_no_critic_is_required_its_silence_holds_nothing(make_cell: MakeCell) -> None:
    cell = driven_by_a_judged_policy(make_cell, required=False)
    decide(cell, 4, risk=topics.NO_CRITIC)
    assert cell.speed_m_s() > 0.2


@pytest.mark.unprotected(FaultCode.CRITIC_INVALID)
def test_control_a_failed_answer_that_counts_as_none_holds_nothing(
    make_cell: MakeCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_rl.daemon.control.chunk.risk_of", lambda _: None)
    cell = driven_by_a_judged_policy(make_cell, required=False)
    decide(cell, 4, risk=np.nan)
    assert cell.speed_m_s() > 0.2
