"""A policy server is killed, stopped, slowed and answers nonsense while the robot drives: real
processes, sockets and signals, one episode (`robot-rl bench policy_server` measures the times).
"""

import json
import math

import pytest

from benchmarks.policy_server import FAULTS, break_all, served_cell

CHOSEN = ("killed", "stopped", "slow", "answers nan", "answers cut")
SAID = (
    "Connect call failed",
    "took longer than 1 s",
    "actions were over",
    "Input should be a finite number",
    "is not MessagePack",
)


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(500)
def test_the_robot_holds_loses_nothing_and_drives_again() -> None:
    with served_cell() as cell:
        faults = tuple(fault for fault in FAULTS if fault.name in CHOSEN)
        assert len(faults) == len(CHOSEN)
        broken, account = break_all(cell, faults)  # raises when it does not drive again
        log = cell.settings.log_file.read_text()
    assert [each.name for each in broken if math.isinf(each.rest_ms)] == [], "it moves on"
    assert account.steps == account.due, "every step of the grid is recorded"
    assert account.driven > 0
    assert account.held > 0
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert [said for said in SAID if not any(said in event for event in events)] == []
    told = [event for event in events if "gives no answer" in event]
    assert len(told) <= 3 * len(CHOSEN), "said when it changes, and not per step"
