"""From which risk on an action is held back: a conformal threshold on what went well.

Of each of the newest n episodes that went well (success, and no unsafe step) the greatest risk of a
policy's own action: what was said while it acted, before anything was learned from it, or what the
critic says of it now, which may have learned of new dangers since; the greater counts. The
threshold is the ⌈(n + 1)(1 − α)⌉-th smallest (split conformal prediction, Vovk et al. 2005): an
episode like those stays below it with probability 1 − α. That is for exchangeable episodes, and
versions change every few seconds: so the window rolls, and how many stayed below the threshold of
their day is told.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_rl.learner.replay import Replay
from robot_rl.learner.samplers import Rows
from robot_rl.schema.episode import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`threshold`: None while there are too few episodes. `coverage`: share of those that went well
    which stayed below the critic's own threshold of their day, `covered_of` many; None where none
    had one. A stricter threshold of the task promises nothing, and is not meant.
    """

    threshold: float | None
    episodes: int
    covered_of: int
    coverage: float | None


def conformal(maxima: Sequence[float], alpha: float) -> float | None:
    """The ⌈(n + 1)(1 − α)⌉-th smallest; None where n is less than that."""
    # Rounding in a product such as 20 × 0.95 must not ask for one episode more.
    place = math.ceil(round((len(maxima) + 1) * (1 - alpha), 9))
    return sorted(maxima)[place - 1] if 1 <= place <= len(maxima) else None


def calibrate(
    replay: Replay,
    says: Callable[[Rows], NDArray[np.floating]],
    *,
    alpha: float,
    window: int,
) -> Calibration:
    """Of the newest `window` episodes that went well and in which a critic judged; `says` is what
    the one to be calibrated says of rows.
    """
    maxima: list[float] = []
    covered: list[bool] = []
    for rows in _went_well(replay):
        risk = np.asarray(replay.store.column("risk")[rows], np.float64)
        judged = ~np.isnan(risk)
        if not judged.any():
            continue
        maxima.append(float(max(risk[judged].max(), says(rows[judged]).max())))
        threshold = np.asarray(replay.store.column("risk_calibrated")[rows], np.float64)
        known = judged & ~np.isnan(threshold)
        if known.any():
            covered.append(bool((risk[known] <= threshold[known]).all()))
        if len(maxima) == window:
            break
    return Calibration(
        threshold=conformal(maxima, alpha),
        episodes=len(maxima),
        covered_of=len(covered),
        coverage=sum(covered) / len(covered) if covered else None,
    )


def _went_well(replay: Replay) -> Iterator[Rows]:
    """Rows of each such episode from the feed, the newest first."""
    for episode in replay.newest_episodes():
        if episode.outcome is Outcome.SUCCESS and not episode.excluded and episode.rows:
            rows = np.array([*episode.rows.values()], np.int64)
            if not replay.store.cost[rows].any():
                yield rows
