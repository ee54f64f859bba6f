"""Bootstrap intervals: as often right as they say, and honest where there is nothing to say."""

import numpy as np
import pytest
from numpy.typing import NDArray

from robot_rl.evaluation.bootstrap import bootstrap_intervals


def test_it_holds_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        values = rng.normal(3.0, 1.0, 60)

        def mean(
            drawn: NDArray[np.intp], values: NDArray[np.float64] = values
        ) -> dict[str, float | None]:
            return {"mean": float(values[drawn].mean())}

        found = bootstrap_intervals(60, mean, rng, resamples=200)["mean"]
        assert found is not None
        held += found[0] <= 3.0 <= found[1]
    assert 0.88 < held / 200 < 0.99


def test_a_figure_that_often_cannot_be_computed_has_none() -> None:
    def figures(drawn: NDArray[np.intp]) -> dict[str, float | None]:
        return {"seldom": None if (drawn == 0).any() else 1.0, "size": float(len(drawn))}

    found = bootstrap_intervals(20, figures, np.random.default_rng(0))
    assert found == {"seldom": None, "size": (20.0, 20.0)}
    with pytest.raises(ValueError, match="no episodes"):
        bootstrap_intervals(0, figures, np.random.default_rng(0))
