"""Comparisons of pairs, against published and hand-computed values and against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robot_rl.evaluation.paired import mcnemar_p, success_difference, time_ratio

type Outcomes = tuple[list[bool], list[bool]]


def outcomes(both: int, only_first: int, only_second: int, neither: int) -> Outcomes:
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second


def test_mcnemar_by_hand() -> None:
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(0, 5) == pytest.approx(2 / 32)
    assert mcnemar_p(3, 1) == pytest.approx(2 * (1 + 4) / 16)
    assert mcnemar_p(4, 4) == 1.0, "twice the tail would be more than 1"


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ(one: int, two: int) -> None:
    if one + two:
        expected = stats.binomtest(one, one + two, 0.5).pvalue
        assert mcnemar_p(one, two) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("table", "difference", "low", "high"),
    [
        # Fagerland, Lydersen, Laake (2017), Statistical Analysis of Contingency Tables, chapter 8
        ((1, 1, 7, 12), -0.286, -0.507, -0.026),
        ((59, 6, 16, 80), -0.0621, -0.1186, -0.0046),
    ],
)
def test_the_interval_is_the_published_one(
    table: tuple[int, int, int, int], difference: float, low: float, high: float
) -> None:
    found = success_difference(*outcomes(*table))
    assert (found.difference, found.low, found.high) == pytest.approx(
        (difference, low, high), abs=5e-4
    )
    assert (found.pairs, found.only_first, found.only_second) == (sum(table), *table[1:3])


def test_all_against_none_is_certain_of_the_direction_only() -> None:
    found = success_difference([True] * 20, [False] * 20)
    assert found.difference == found.high == 1.0
    # Wilson's interval of 20 of 20 reaches 16.1 points down, and of 0 of 20 as many up.
    assert found.low == pytest.approx(1 - math.hypot(0.1611, 0.1611), abs=1e-3)
    assert found.p == pytest.approx(2 / 2**20)


@given(st.tuples(*[st.integers(0, 20)] * 4).filter(any))
def test_swapping_the_two_swaps_the_interval(table: tuple[int, int, int, int]) -> None:
    first, second = outcomes(*table)
    one, two = success_difference(first, second), success_difference(second, first)
    assert (one.low, one.high, one.p) == pytest.approx((-two.high, -two.low, two.p))
    assert -1 <= one.low <= one.difference <= one.high <= 1


def test_a_ratio_by_hand() -> None:
    found = time_ratio([2.0, 2.0, 4.0], [4.0, 4.0, 4.0])
    assert found.ratio == pytest.approx(0.25 ** (1 / 3))
    # log₂ of the ratios: −1, −1, 0: mean −2/3, standard error 1/3, t of 2 degrees 4.3027.
    assert found.low == pytest.approx(2 ** (-2 / 3 - 4.3027 / 3), rel=1e-4)
    assert found.high == pytest.approx(2 ** (-2 / 3 + 4.3027 / 3), rel=1e-4)


def test_a_ratio_is_that_of_the_tests_of_scipy() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.uniform(2, 6, 30), rng.uniform(3, 8, 30)
    found = time_ratio(first.tolist(), second.tolist())
    logs = np.log(first) - np.log(second)
    expected = stats.ttest_1samp(logs, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(expected[0]), math.exp(expected[1])))
    assert found.p == pytest.approx(float(np.asarray(stats.wilcoxon(logs))[1]))
    assert found.p is not None


def test_few_or_equal_pairs_say_what_they_can() -> None:
    one = time_ratio([3.0], [4.0])
    assert (one.ratio, one.low, one.high) == (pytest.approx(0.75), None, None)
    equal = time_ratio([3.0, 4.0], [3.0, 4.0])
    assert (equal.ratio, equal.low, equal.high, equal.p) == (1.0, 1.0, 1.0, None)
    with pytest.raises(ValueError, match="no pairs"):
        time_ratio([], [])
    with pytest.raises(ValueError, match="no pairs"):
        success_difference([], [])
