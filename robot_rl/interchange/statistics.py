"""Statistics of the columns of a dataset, as LeRobot normalises by: per episode, then of all.

As LeRobot does, the quantiles of all are the mean of those of the episodes, weighted by length.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from robot_rl.interchange.video import Image

type Statistics = dict[str, list[float]]
"""`min`, `max`, `mean`, `std` and the quantiles → one value a column; `count` → [how many]."""

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
SAMPLED_PICTURES = 40  # of an episode and camera
_SAMPLED_SIDE_PX = 128


def of_column(values: NDArray[np.float64]) -> Statistics:
    """values: (steps, columns)."""
    found = {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
        **{name: np.quantile(values, share, axis=0) for name, share in QUANTILES.items()},
    }
    return {name: each.tolist() for name, each in found.items()} | {"count": [float(len(values))]}


def sampled(count: int) -> frozenset[int]:
    """Which pictures of an episode of so many are looked at."""
    return frozenset(np.linspace(0, count - 1, min(count, SAMPLED_PICTURES)).astype(int).tolist())


def of_pictures(pictures: Sequence[Image]) -> Statistics:
    """Of the colours, each in 0 … 1."""
    pixels = [_thinned(picture).reshape(-1, 3) for picture in pictures]
    found = of_column(np.concatenate(pixels).astype(np.float64) / 255)
    return found | {"count": [float(len(pictures))]}


def _thinned(picture: Image) -> Image:
    every = max(1, min(picture.shape[:2]) // _SAMPLED_SIDE_PX)
    return picture[::every, ::every]


def combined(parts: Iterable[Statistics]) -> Statistics:
    """Of all that the parts are of."""
    found = list(parts)
    counts = np.array([part["count"][0] for part in found], np.float64)[:, None]

    def of(name: str) -> NDArray[np.float64]:
        return np.array([part[name] for part in found])

    def weighted(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values * counts).sum(axis=0) / counts.sum()

    mean = weighted(of("mean"))
    variance = weighted(of("std") ** 2 + (of("mean") - mean) ** 2)
    values = {
        "min": of("min").min(axis=0),
        "max": of("max").max(axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        **{name: weighted(of(name)) for name in QUANTILES},
    }
    return {name: each.tolist() for name, each in values.items()} | {"count": [float(counts.sum())]}


def shaped_for_pictures(values: Mapping[str, list[float]]) -> dict[str, object]:
    """LeRobot's shape of a camera's: (3, 1, 1)."""
    return {
        name: each if name == "count" else [[[value]] for value in each]
        for name, each in values.items()
    }
