"""Intervals of figures that have no formula for one, by drawing the episodes again."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_LOW, _HIGH = 2.5, 97.5

type Interval = tuple[float, float]


def bootstrap_intervals(
    count: int,
    figures: Callable[[NDArray[np.intp]], Mapping[str, float | None]],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, Interval | None]:
    """95 % percentile intervals (Efron 1979) of figures of `count` episodes, by their names.

    `figures` gets the numbers of the episodes that were drawn, (count,), some of them several
    times; of pairs, both of a pair are drawn together. Draws in which a figure is None say nothing
    of it; its interval is None where that is half of them or more. Raises ValueError without
    episodes.
    """
    if not count:
        raise ValueError("there are no episodes to draw from")
    drawn = [figures(rng.integers(0, count, count)) for _ in range(resamples)]
    return {name: _interval([each[name] for each in drawn]) for name in drawn[0]}


def _interval(values: list[float | None]) -> Interval | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    if 2 * len(known) <= len(values):
        return None
    low, high = np.percentile(known, [_LOW, _HIGH])
    return float(low), float(high)
