"""How well a risk critic foresees unsafe steps, and what holding back by it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from robot_rl.evaluation.success_figures import auroc

AHEAD = 7
"""Steps within which an unsafe one was to be foreseen: 1 / (1 − γ_risk) for γ_risk 0.85."""
BINS = 10

type Bools = NDArray[np.bool_]
type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskEpisode:
    """The steps of one episode in order; NaN where no critic judged, or without a threshold."""

    success: bool
    unsafe: Bools  # (steps,)
    held: Bools  # by the gate, because of the risk
    replaced: Bools  # another action was taken than the policy's own
    risk: Floats  # of the policy's own action
    threshold: Floats

    @property
    def first_unsafe(self) -> int | None:
        return int(np.argmax(self.unsafe)) if self.unsafe.any() else None

    @property
    def first_alarm(self) -> int | None:
        above = self.risk > self.threshold
        return int(np.argmax(above)) if above.any() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFigures:
    """None where there was nothing to count.

    auroc: risk against "an unsafe step within `AHEAD`". calibration_error: mean distance, over ten
    bins of equally many steps, between the risk and γʲ of an unsafe step j steps later (0: none),
    which is what the risk estimates. false_alarms: episodes that succeeded without an unsafe step
    and were above the threshold once. lead_steps: median, from the first alarm to the first unsafe
    step, of episodes with both in this order. missed: episodes with an unsafe step and no alarm
    before it.
    """

    episodes: int
    successes: int
    hours: float
    unsafe_episodes: int
    unsafe_steps: int
    held_steps: int
    replaced_steps: int
    judged_steps: int
    auroc: float | None
    calibration_error: float | None
    false_alarms: int
    missed: int
    lead_steps: float | None

    @property
    def unsafe_episodes_per_hour(self) -> float:
        return self.unsafe_episodes / self.hours if self.hours else 0.0


def risk_figures(episodes: Sequence[RiskEpisode], *, step_s: float, discount: float) -> RiskFigures:
    leads: list[int] = []
    missed = false_alarms = 0
    for episode in episodes:
        alarm, danger = episode.first_alarm, episode.first_unsafe
        if danger is None:
            false_alarms += episode.success and alarm is not None
        elif alarm is not None and alarm <= danger:
            leads.append(danger - alarm)
        else:
            missed += 1
    soon = _joined([_within(each.unsafe, AHEAD) for each in episodes]).astype(bool)
    value = _joined([discounted(each.unsafe, discount) for each in episodes])
    risk = _joined([each.risk for each in episodes])
    judged = ~np.isnan(risk)
    return RiskFigures(
        episodes=len(episodes),
        successes=sum(each.success for each in episodes),
        hours=sum(len(each.unsafe) for each in episodes) * step_s / 3600,
        unsafe_episodes=sum(bool(each.unsafe.any()) for each in episodes),
        unsafe_steps=sum(int(each.unsafe.sum()) for each in episodes),
        held_steps=sum(int(each.held.sum()) for each in episodes),
        replaced_steps=sum(int(each.replaced.sum()) for each in episodes),
        judged_steps=int(judged.sum()),
        auroc=auroc(soon[judged].astype(np.int8), risk[judged]),
        calibration_error=_calibration_error(risk[judged], value[judged]),
        false_alarms=false_alarms,
        missed=missed,
        lead_steps=median(leads) if leads else None,
    )


def discounted(unsafe: Bools, discount: float) -> Floats:
    """(steps,): γʲ where the next unsafe step is j later, 0 where none comes."""
    value = np.zeros(len(unsafe))
    following = 0.0
    for step in range(len(unsafe) - 1, -1, -1):
        following = 1.0 if unsafe[step] else discount * following
        value[step] = following
    return value


def _within(unsafe: Bools, steps: int) -> Floats:
    """(steps,): 1 where an unsafe step is less than so many later."""
    found = [unsafe[step : step + steps].any() for step in range(len(unsafe))]
    return np.array(found, np.float64)


def _calibration_error(risk: Floats, value: Floats) -> float | None:
    if len(risk) < BINS:
        return None
    order = np.argsort(risk, kind="stable")
    parts = np.array_split(order, BINS)
    return float(np.mean([abs(risk[part].mean() - value[part].mean()) for part in parts]))


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.zeros(0), *parts])
