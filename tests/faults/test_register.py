"""Every numbered row of the fault table has a test that injects it, and a positive control."""

import pytest

from safety.faults import FAULTS, Fault
from tests.faults.register import INJECTS, UNPROTECTED, marked

NUMBERED = [fault for fault in FAULTS.values() if fault.number is not None]
_MARKED = marked()


@pytest.mark.parametrize("mark", [INJECTS, UNPROTECTED])
@pytest.mark.parametrize("fault", NUMBERED, ids=lambda fault: f"{fault.number}-{fault.code}")
def test_a_numbered_fault_is_injected_and_has_a_positive_control(fault: Fault, mark: str) -> None:
    tests = [each.test for each in _MARKED if each.code is fault.code and each.mark == mark]
    assert tests, f"no test is marked {mark}(FaultCode.{fault.code.name})"
