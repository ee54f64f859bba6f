"""`[risk]` of a task file: what cannot be meant is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from robot_rl.config.risk import RiskSection


def test_nothing_is_required_unless_it_is_said() -> None:
    section = RiskSection()
    assert (section.threshold, section.required) == (None, False)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"required": True}, "give threshold, 0 to below 1"),
        ({"threshold": 0.5, "acts": False}, "nothing is held back then"),
        ({"threshold": 1.0}, "less than 1"),
        ({"threshold": -0.1}, "greater than or equal to 0"),
    ],
)
def test_what_would_hold_nothing_back_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        RiskSection.model_validate(given)
