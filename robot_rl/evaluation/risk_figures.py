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
    replaced: Bools  # a safe action was taken in place of the policy's own
    recovered: Bools  # that of the recovery policy
    risk: Floats  # of the policy's own action
    threshold: Floats

    @property
    def first_unsafe(self) -> int | None:
        return int(np.argmax(self.unsafe)) if self.unsafe.any() else None

    @property
    def first_alarm(self) -> int | None:
        above = self.risk > self.threshold
        return int(np.argmax(above)) if above.any() else None

    @property
    def events(self) -> int:
        """Unsafe steps in a row are one."""
        return int(np.count_nonzero(np.diff(self.unsafe, prepend=False) & self.unsafe))

    @property
    def covers(self) -> bool:
        """It went well, and there was a threshold which it could have stayed below."""
        known = ~np.isnan(self.risk) & ~np.isnan(self.threshold)
        return self.success and not self.unsafe.any() and bool(known.any())

    @property
    def covered(self) -> bool:
        """It did stay below."""
        return self.covers and self.first_alarm is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFigures:
    """None where there was nothing to count.

    unsafe_events: unsafe steps in a row are one. auroc: risk against "an unsafe step within
    `AHEAD`". calibration_error: mean distance, over ten bins of equally many steps, between the
    risk and γʲ of an unsafe step j steps later (0: none), which is what the risk estimates.
    well: episodes that succeeded without an unsafe step and had a threshold; false_alarms: those of
    them that were above it once; coverage: the share of the others, which a conformal threshold
    promises to be 1 − alpha. lead_steps: median, from the first alarm to the first unsafe step, of
    episodes with both in this order. missed: episodes with an unsafe step and no alarm before it.
    """

    episodes: int
    successes: int
    hours: float
    unsafe_episodes: int
    unsafe_events: int
    unsafe_steps: int
    held_steps: int
    replaced_steps: int
    recovered_steps: int
    judged_steps: int
    auroc: float | None
    calibration_error: float | None
    false_alarms: int
    well: int
    missed: int
    lead_steps: float | None

    @property
    def unsafe_events_per_hour(self) -> float:
        return self.unsafe_events / self.hours if self.hours else 0.0

    @property
    def unsafe_episodes_per_hour(self) -> float:
        return self.unsafe_episodes / self.hours if self.hours else 0.0

    @property
    def coverage(self) -> float | None:
        """None without an episode that went well."""
        return 1 - self.false_alarms / self.well if self.well else None


def risk_figures(episodes: Sequence[RiskEpisode], *, step_s: float, discount: float) -> RiskFigures:
    leads: list[int] = []
    missed = false_alarms = 0
    for episode in episodes:
        alarm, danger = episode.first_alarm, episode.first_unsafe
        if danger is None:
            false_alarms += episode.covers and not episode.covered
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
        unsafe_events=sum(each.events for each in episodes),
        unsafe_steps=sum(int(each.unsafe.sum()) for each in episodes),
        held_steps=sum(int(each.held.sum()) for each in episodes),
        replaced_steps=sum(int(each.replaced.sum()) for each in episodes),
        recovered_steps=sum(int(each.recovered.sum()) for each in episodes),
        judged_steps=int(judged.sum()),
        auroc=auroc(soon[judged].astype(np.int8), risk[judged]),
        calibration_error=_calibration_error(risk[judged], value[judged]),
        false_alarms=false_alarms,
        well=sum(each.covers for each in episodes),
        missed=missed,
        lead_steps=median(leads) if leads else None,
    )


def discounted(unsafe: Bools, discount: float) -> Floats:
    """(steps,): γʲ where the next unsafe step is j later, 0 where none comes."""
    return discount ** _ahead(unsafe)


def _within(unsafe: Bools, steps: int) -> Floats:
    """(steps,): 1 where an unsafe step is less than so many later."""
    return (_ahead(unsafe) < steps).astype(np.float64)


def _ahead(unsafe: Bools) -> Floats:
    """(steps,): how many steps later the next unsafe one comes, 0 in one; infinite where none."""
    steps = np.arange(len(unsafe), dtype=np.float64)
    following = np.where(unsafe, steps, np.inf)
    ahead: Floats = np.minimum.accumulate(following[::-1])[::-1] - steps
    return ahead


def _calibration_error(risk: Floats, value: Floats) -> float | None:
    if len(risk) < BINS:
        return None
    order = np.argsort(risk, kind="stable")
    parts = np.array_split(order, BINS)
    return float(np.mean([abs(risk[part].mean() - value[part].mean()) for part in parts]))


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.zeros(0), *parts])
