"""What the cells of an arm come to together, and one arm beside another. Pure.

Seeds are pooled: every evaluation episode counts once. Pairs are evaluation episodes of the same
seed of the study and the same scene.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from robot_rl.evaluation.metrics import Proportion, wilson
from robot_rl.evaluation.paired import (
    SuccessDifference,
    TimeRatio,
    success_difference,
    time_ratio,
)
from robot_rl.rehearsal.timeline import EpisodeEntry, FrozenEvaluation
from robot_rl.study.results import CellReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What was spent until frozen success first was at the target; else all of it, censored."""

    spent: float
    censored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """Of one arm on one task, its cells in order of their seeds. Times are means over the cells."""

    seeds: tuple[int, ...]
    before: Proportion
    after: Proportion
    after_by_seed: tuple[Proportion, ...]
    learned: SuccessDifference | None  # after against before
    robot_s: float
    human_s: float
    cycle_before_s: float | None
    cycle_after_s: float | None
    robot_s_to_target: tuple[Reached, ...]
    human_s_to_target: tuple[Reached, ...]
    steps_to_target: tuple[Reached, ...]
    human_steps_to_target: tuple[Reached, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """First arm against second, after training; None where there are no pairs."""

    success: SuccessDifference | None
    cycle: TimeRatio | None  # of the episodes in which both succeeded


type ArmCells = dict[int, CellReport]
"""By seed."""


def figures(cells: ArmCells, target: float) -> ArmFigures:
    """Raises ValueError without cells."""
    if not cells:
        raise ValueError("an arm without a cell has no figures")
    reports = [cells[seed] for seed in sorted(cells)]
    before = _episodes(report.before for report in reports)
    after = _episodes(report.after for report in reports)
    return ArmFigures(
        seeds=tuple(sorted(cells)),
        before=_share(before),
        after=_share(after),
        after_by_seed=tuple(_share(_episodes([report.after])) for report in reports),
        learned=_success(
            pair for report in reports for pair in _pairs(report.after, report.before)
        ),
        robot_s=mean(report.robot_s for report in reports),
        human_s=mean(report.human_seconds for report in reports),
        cycle_before_s=_cycle(before),
        cycle_after_s=_cycle(after),
        robot_s_to_target=tuple(
            _reached(report, target, lambda found: found.robot_s) for report in reports
        ),
        human_s_to_target=tuple(
            _reached(report, target, lambda found: found.human_s) for report in reports
        ),
        steps_to_target=tuple(
            _reached(report, target, lambda found: found.steps) for report in reports
        ),
        human_steps_to_target=tuple(
            _reached(report, target, lambda found: found.human_steps) for report in reports
        ),
    )


def compare(first: ArmCells, second: ArmCells) -> Comparison:
    """Over the seeds that both have."""
    pairs = [
        pair
        for seed in sorted(first.keys() & second.keys())
        for pair in _pairs(first[seed].after, second[seed].after)
    ]
    cycles = [
        (one.cycle_s, two.cycle_s)
        for one, two in pairs
        if one.cycle_s is not None and two.cycle_s is not None
    ]
    return Comparison(
        success=_success(pairs),
        cycle=time_ratio(*zip(*cycles, strict=True)) if cycles else None,
    )


def middle(reached: Sequence[Reached]) -> Reached:
    """The median; of an even number the later of the two in the middle. A cell that did not get
    there counts as later than any that did. Raises ValueError without any.
    """
    if not reached:
        raise ValueError("there is no cell")
    ordered = sorted(reached, key=lambda each: (each.censored, each.spent))
    return ordered[len(ordered) // 2]


def _pairs(
    first: FrozenEvaluation | None, second: FrozenEvaluation | None
) -> list[tuple[EpisodeEntry, EpisodeEntry]]:
    """Episodes of the same scene; those of the first that the second lacks are left out."""
    if first is None or second is None:
        return []
    scenes = {episode.seed: episode for episode in second.episodes}
    return [(episode, scenes[episode.seed]) for episode in first.episodes if episode.seed in scenes]


def _success(pairs: Iterable[tuple[EpisodeEntry, EpisodeEntry]]) -> SuccessDifference | None:
    outcomes = [(one.success, two.success) for one, two in pairs]
    return success_difference(*zip(*outcomes, strict=True)) if outcomes else None


def _episodes(evaluations: Iterable[FrozenEvaluation | None]) -> list[EpisodeEntry]:
    return [each for found in evaluations if found is not None for each in found.episodes]


def _share(episodes: Sequence[EpisodeEntry]) -> Proportion:
    return wilson(sum(episode.success for episode in episodes), len(episodes))


def _cycle(episodes: Sequence[EpisodeEntry]) -> float | None:
    cycles = [episode.cycle_s for episode in episodes if episode.cycle_s is not None]
    return median(cycles) if cycles else None


def _reached(
    report: CellReport, target: float, spent: Callable[[FrozenEvaluation], float]
) -> Reached:
    for found in report.frozen:
        share = found.success.value
        if share is not None and share >= target - 1e-9:
            return Reached(spent=spent(found), censored=False)
    last = report.frozen[-1] if report.frozen else None
    return Reached(spent=spent(last) if last else math.nan, censored=True)
