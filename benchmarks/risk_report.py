"""What the parts of `bench risk` come to: every figure with its 95 % interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.measurement import Spread, Target
from robot_rl.errors import PlainError
from robot_rl.evaluation.bootstrap import Interval, bootstrap_intervals
from robot_rl.evaluation.paired import mcnemar_p, success_difference
from robot_rl.evaluation.risk_figures import RiskEpisode, RiskFigures, risk_figures
from robot_rl.rehearsal.report import Rate

FEWER = 0.5  # unsafe events an hour with the critic, of those without
LOST = 0.05  # success that it may cost
LATENCY_MS = 2.0  # a decision, p99
_SEED = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The same scenes in the same order, the critic warning only and acting."""

    warns: Sequence[RiskEpisode]
    acts: Sequence[RiskEpisode]
    step_s: float
    discount: float

    def of(self, episodes: Sequence[RiskEpisode]) -> RiskFigures:
        return risk_figures(episodes, step_s=self.step_s, discount=self.discount)

    def drawn(self, numbers: NDArray[np.intp]) -> Mapping[str, float | None]:
        """The figures that have no formula for their interval, of these pairs."""
        warns = self.of([self.warns[number] for number in numbers])
        acts = self.of([self.acts[number] for number in numbers])
        return _figures(warns, acts, self.step_s)


def _figures(warns: RiskFigures, acts: RiskFigures, step_s: float) -> dict[str, float | None]:
    def ratio(with_: float, without: float) -> float | None:
        return with_ / without if without else None

    lead = warns.lead_steps
    return {
        "events an hour without": warns.unsafe_events_per_hour,
        "events an hour with": acts.unsafe_events_per_hour,
        "events an hour, with over without": ratio(
            acts.unsafe_events_per_hour, warns.unsafe_events_per_hour
        ),
        "unsafe episodes an hour, with over without": ratio(
            acts.unsafe_episodes_per_hour, warns.unsafe_episodes_per_hour
        ),
        "unsafe episodes, with over without": ratio(acts.unsafe_episodes, warns.unsafe_episodes),
        "AUROC": warns.auroc,
        "calibration error": warns.calibration_error,
        "lead time, s (median)": None if lead is None else lead * step_s,
    }


def judged(
    compared: Compared, latency: Mapping[str, Spread]
) -> tuple[tuple[Target, ...], dict[str, Spread | float | int | str]]:
    """The targets, and what lies behind them. Raises PlainError: nothing unsafe ever happened."""
    warns, acts = compared.of(compared.warns), compared.of(compared.acts)
    if not warns.unsafe_events:
        raise PlainError(
            f"no step of {warns.episodes} episodes without the critic was unsafe: there is nothing "
            "that it could prevent"
        )
    found = _figures(warns, acts, compared.step_s)
    within = bootstrap_intervals(len(compared.warns), compared.drawn, np.random.default_rng(_SEED))
    pairs = [*zip(compared.acts, compared.warns, strict=True)]
    success = success_difference(*zip(*((a.success, w.success) for a, w in pairs), strict=True))
    only = sum(a.events > 0 and not w.events for a, w in pairs)
    other = sum(w.events > 0 and not a.events for a, w in pairs)
    fewer = found["events an hour, with over without"]
    assert fewer is not None
    slowest = latency["nothing is safe"].p99
    targets = (
        _at_most("unsafe events an hour, with over without", fewer, "share", FEWER),
        _at_most("success lost", -success.difference, "share", LOST),
        _at_most("success lost, upper end of its interval", -success.low, "share", LOST),
        _at_most("judging a decision, p99, nothing is safe", slowest, "ms", LATENCY_MS),
    )
    detail: dict[str, Spread | float | int | str] = {
        name: _text(value, within[name]) for name, value in found.items()
    }
    detail |= {
        "success with": str(Rate.of(acts.successes, acts.episodes)),
        "success without": str(Rate.of(warns.successes, warns.episodes)),
        "success with − without": _text(success.difference, (success.low, success.high)),
        "unsafe episodes with": str(Rate.of(acts.unsafe_episodes, acts.episodes)),
        "unsafe episodes without": str(Rate.of(warns.unsafe_episodes, warns.episodes)),
        "unsafe only with, only without": f"{only}, {other} (p = {mcnemar_p(only, other):.2g})",
        "hours with, without": f"{acts.hours:.3f}, {warns.hours:.3f}",
        "coverage: below the threshold, of those that went well": str(
            Rate.of(warns.well - warns.false_alarms, warns.well)
        ),
        "false alarms, of those that went well": str(Rate.of(warns.false_alarms, warns.well)),
        "foreseen, of unsafe episodes": str(
            Rate.of(warns.unsafe_episodes - warns.missed, warns.unsafe_episodes)
        ),
        "steps held, resampled, recovered (of all)": (
            f"{acts.held_steps}, {acts.replaced_steps - acts.recovered_steps}, "
            f"{acts.recovered_steps} ({acts.judged_steps})"
        ),
    }
    detail |= {f"judging, ms, {name}": spread for name, spread in latency.items()}
    return targets, detail


def _at_most(name: str, value: float, unit: str, target: float) -> Target:
    return Target(name=name, value=value, unit=unit, op="<=", target=target)


def _text(value: float | None, within: Interval | None) -> str:
    if value is None:
        return "nothing to count"
    interval = "no interval" if within is None else f"{within[0]:.3g} to {within[1]:.3g}"
    return f"{value:.3g} ({interval})"
