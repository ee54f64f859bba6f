"""Learners as processes, killed, stopped and out of disk, against a real server: the short form of
`robot-rl bench kills`.
"""

import pytest

from benchmarks import kills
from safety.faults import FaultCode


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.fault
@pytest.mark.timeout(600)
@pytest.mark.injects(FaultCode.LEARNER_LOST)
@pytest.mark.unprotected(FaultCode.LEARNER_LOST)
def test_a_learner_that_is_killed_or_out_of_disk_goes_on_bit_for_bit() -> None:
    result = kills.run(quick=True)
    assert [target.name for target in result.targets if not target.met] == []
    assert result.detail["updates compared"] > result.detail["updates of an uninterrupted run"]  # pyright: ignore[reportOperatorIssue]
    if result.detail["full disks"] != kills.FILLS_QUICK:
        pytest.skip(f"a small file system could not be mounted: {result.detail['full disks']}")
    assert "No space left" in str(result.detail["what was said of a full disk"])
