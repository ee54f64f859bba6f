"""Two policies on the same episodes: what differs, and whether that could be chance.

Each docstring is the definition that is shown. Pairs are episodes with the same seed of the scene;
where several policies of one kind were trained, pairs of one training are no independent samples of
trainings, so that these figures speak of the policies that were compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from robot_rl.evaluation.metrics import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessDifference:
    """Share of successes of the first minus that of the second, with its 95 % interval.

    p: exact McNemar test of no difference; 1 without a pair that differs.
    """

    pairs: int
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRatio:
    """Geometric mean of first / second over the pairs, with its 95 % interval.

    p: Wilcoxon's signed-rank test on the logarithms. Interval and p are None where there are too
    few pairs to say.
    """

    pairs: int
    ratio: float
    low: float | None
    high: float | None
    p: float | None


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar test: 2 · P(X ≤ min(b, c)) with X ~ Binomial(b + c, ½), at most 1."""
    pairs = only_first + only_second
    fewer = min(only_first, only_second)
    tail = sum(math.comb(pairs, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / 2**pairs)


def success_difference(first: Sequence[bool], second: Sequence[bool]) -> SuccessDifference:
    """Newcombe's square-and-add interval for paired shares (Newcombe 1998, method 10).

    With Wilson's interval (l, u) of each share p and φ the correlation of the pairs, continuity
    corrected: Δ − √((p₁ − l₁)² − 2φ(p₁ − l₁)(u₂ − p₂) + (u₂ − p₂)²), and likewise above. Raises
    ValueError without pairs.
    """
    pairs = list(zip(first, second, strict=True))
    if not pairs:
        raise ValueError("there are no pairs of episodes to compare")
    n = len(pairs)
    both = sum(one and two for one, two in pairs)
    b = sum(one and not two for one, two in pairs)
    c = sum(two and not one for one, two in pairs)
    found_1, found_2 = wilson(both + b, n), wilson(both + c, n)
    p1, p2 = (both + b) / n, (both + c) / n
    phi = _correlation(both, b, c, n - both - b - c)
    below = _square_and_add(p1 - found_1.low, found_2.high - p2, phi)
    above = _square_and_add(p2 - found_2.low, found_1.high - p1, phi)
    return SuccessDifference(
        pairs=n,
        only_first=b,
        only_second=c,
        difference=p1 - p2,
        low=p1 - p2 - below,
        high=p1 - p2 + above,
        p=mcnemar_p(b, c),
    )


def _square_and_add(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _correlation(a: int, b: int, c: int, d: int) -> float:
    """φ of the table of pairs; 0 where a margin is empty."""
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    excess = a * d - b * c
    if excess > 0:
        excess = max(excess - (a + b + c + d) / 2, 0)
    return excess / math.sqrt(margins)


def time_ratio(first: Sequence[float], second: Sequence[float]) -> TimeRatio:
    """Of positive times in pairs: exp of the mean of log first − log second; its interval is that
    of Student's t. Raises ValueError without pairs.
    """
    logs = np.log(np.asarray(first, float)) - np.log(np.asarray(second, float))
    if not len(logs):
        raise ValueError("there are no pairs of episodes to compare")
    mean = float(np.mean(logs))
    low = high = p = None
    if len(logs) > 1:
        error = float(stats.sem(logs))
        reach = float(stats.t.ppf(0.975, len(logs) - 1)) * error
        low, high = math.exp(mean - reach), math.exp(mean + reach)
    if np.any(logs != 0):
        p = float(np.asarray(stats.wilcoxon(logs))[1])
    return TimeRatio(pairs=len(logs), ratio=math.exp(mean), low=low, high=high, p=p)
