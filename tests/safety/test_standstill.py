"""One owner for what counts as standing still."""

import math

import pytest

from safety.standstill import REST_M_S, at_rest


@pytest.mark.parametrize(
    ("speed_m_s", "rests"),
    [(0.0, True), (0.0049, True), (REST_M_S, False), (0.2, False), (math.nan, False)],
)
def test_rest_is_below_5_mm_per_second_and_never_an_unknown_speed(
    speed_m_s: float, rests: bool
) -> None:
    assert at_rest(speed_m_s) is rests
