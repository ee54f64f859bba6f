"""Control stands still and goes on (fault 15): latched, and nothing is caught up."""

import pytest

from safety.faults import FaultCode, bound_ms
from tests.daemon.conftest import MS
from tests.faults.cell import FaultCell
from tests.faults.conftest import MakeCell

FREEZE_NS = bound_ms(FaultCode.CONTROL_FROZEN) * MS
PERIOD_MS = 5


def stand_still(cell: FaultCell, duration_ms: int) -> tuple[int, int]:
    """Turns of control and commands that the arm let in, while it stood and in 100 ms after."""
    guard = cell.host.guarded.guard
    turns, accepted = cell.turns, guard.accepted
    cell.freeze_control(duration_ms)
    cell.run(duration_ms + 100)
    return cell.turns - turns, guard.accepted - accepted


@pytest.mark.injects(FaultCode.CONTROL_FROZEN)
@pytest.mark.parametrize("who", ["person", "policy"])
def test_it_latches_and_catches_nothing_up(make_cell: MakeCell, who: str) -> None:
    cell = make_cell(freeze_ns=FREEZE_NS)
    if who == "person":
        cell.person_drives()
    else:
        cell.policy_drives(actions=20)
    frozen_ns, begin_m = cell.now_ns, cell.position_m
    turns, let_in = stand_still(cell, 60)
    assert cell.mode == "fault"
    assert bytes(cell.status["fault"]) == FaultCode.CONTROL_FROZEN.encode()
    # One turn and one command a period after it went on; none for the time that it stood.
    assert turns <= 100 // PERIOD_MS + 1
    assert let_in <= 100 // PERIOD_MS + 1
    assert int(cell.status["missed_ticks"]) >= 60 // PERIOD_MS - 2
    cell.run(1000)
    # It ran on for as long as control stood, then for as long as a hold takes.
    assert cell.hold_after_ms(frozen_ns) <= 60 + 100
    assert cell.way_m(begin_m) < 0.25 * (0.06 + 0.1)
    assert cell.mode == "fault", "a person has to clear it"


@pytest.mark.unprotected(FaultCode.CONTROL_FROZEN)
def test_control_without_the_latch_it_goes_on(make_cell: MakeCell) -> None:
    cell = make_cell(freeze_ns=10**12)
    cell.policy_drives(actions=20)
    stand_still(cell, 60)
    assert cell.mode == "autonomous"
    assert cell.speed_m_s() > 0.1


@pytest.mark.injects(FaultCode.CONTROL_FROZEN)
def test_a_shorter_pause_latches_nothing_and_is_not_caught_up_either(make_cell: MakeCell) -> None:
    cell = make_cell(freeze_ns=FREEZE_NS)
    cell.policy_drives(actions=20)
    turns, _ = stand_still(cell, 40)
    assert cell.mode == "autonomous"
    assert turns <= 100 // PERIOD_MS + 1
