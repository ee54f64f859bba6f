"""The figures of a study as Markdown."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import mean

from robot_rl.evaluation.metrics import Proportion
from robot_rl.evaluation.paired import SuccessDifference, TimeRatio
from robot_rl.rehearsal.report import ClassifierReport
from robot_rl.study.comparison import ArmCells, ArmFigures, Reached, compare, figures, middle

NOTHING = "–"


def arms_table(arms: Mapping[str, ArmCells], target: float) -> str:
    """One line for each arm of a task."""
    head = (
        "arm",
        "before",
        "after",
        "after, each seed",
        "after − before",
        "robot-minutes",
        "human s",
        "cycle before → after",
        f"robot-minutes to {target:g}",
        f"human s to {target:g}",
    )
    rows = [_arm_row(name, figures(cells, target)) for name, cells in arms.items() if cells]
    return _table(head, rows)


def steps_table(arms: Mapping[str, ArmCells], target: float) -> str:
    """The same in steps, as they are counted where no reset is: means, and each seed."""
    head = ("arm", f"steps to {target:g}", f"human steps to {target:g}")
    found = {name: figures(cells, target) for name, cells in arms.items() if cells}
    rows = [
        (name, _mean_to_target(each.steps_to_target), _mean_to_target(each.human_steps_to_target))
        for name, each in found.items()
    ]
    return _table(head, rows)


def pairs_table(arms: Mapping[str, ArmCells]) -> str:
    """One line for each pair of arms of a task."""
    head = (
        "arms",
        "success: difference",
        "p (McNemar)",
        "pairs: only first, only second",
        "cycle time: ratio",
        "p (Wilcoxon)",
        "pairs: both succeed",
    )
    rows: list[Sequence[str]] = []
    for (first, ours), (second, theirs) in combinations(arms.items(), 2):
        found = compare(ours, theirs)
        rows.append(
            (f"{first}, {second}", *_success_columns(found.success), *_cycle_columns(found.cycle))
        )
    return _table(head, rows)


def classifiers_table(arms: Mapping[str, ArmCells]) -> str:
    """One line for each cell in which a success classifier's word was the reward."""
    head = (
        "arm, seed",
        "labelled first",
        "threshold",
        "precision",
        "recall",
        "held out: false, missed",
        "training: false, missed",
        "frozen: false, missed",
    )
    rows = [
        (f"{name}, {seed}", *_classifier_columns(cells[seed].classifier))
        for name, cells in arms.items()
        for seed in sorted(cells)
        if cells[seed].classifier is not None
    ]
    return _table(head, rows)


def share(found: Proportion) -> str:
    if found.value is None:
        return NOTHING
    count = f"{found.successes}/{found.trials}"
    return f"{count} = {found.value:.2f} ({found.low:.2f}–{found.high:.2f})"


def _arm_row(name: str, found: ArmFigures) -> Sequence[str]:
    seeds = ", ".join(
        f"{seed}: {each.successes}/{each.trials}" if each.trials else f"{seed}: {NOTHING}"
        for seed, each in zip(found.seeds, found.after_by_seed, strict=True)
    )
    learned = NOTHING
    if found.learned is not None:
        learned = f"{_difference(found.learned)}, p {_p(found.learned.p)}"
    return (
        name,
        share(found.before),
        f"**{share(found.after)}**" if found.after.trials else NOTHING,
        seeds,
        learned,
        f"{found.robot_s / 60:.1f}",
        f"{found.human_s:.0f}",
        f"{_seconds(found.cycle_before_s)} → {_seconds(found.cycle_after_s)}",
        _to_target(found.robot_s_to_target, 60, 1),
        _to_target(found.human_s_to_target, 1, 0),
    )


def _classifier_columns(found: ClassifierReport | None) -> Sequence[str]:
    if found is None:
        return ()
    judged = [
        f"{each.false_successes}, {each.missed} of {each.episodes}"
        for each in (found.labels, found.evaluations)
    ]
    if (made := found.training) is None:
        return (*[NOTHING] * 5, *judged)
    held_out = made.held_out
    return (
        f"{made.episodes}: {made.robot_s / 60:.1f} min, {made.human_s:.0f} s",
        f"{held_out.threshold:.2f}",
        *(
            NOTHING if value is None else f"{value:.2f}"
            for value in (held_out.precision, held_out.recall)
        ),
        f"{held_out.false_alarms}, {held_out.missed} of {held_out.episodes}",
        *judged,
    )


def _to_target(reached: Sequence[Reached], unit: float, digits: int) -> str:
    return _with_each(middle(reached), reached, unit, digits)


def _mean_to_target(reached: Sequence[Reached]) -> str:
    """A mean with cells in it that did not get there is less than it would be."""
    together = Reached(
        spent=mean(each.spent for each in reached),
        censored=any(each.censored for each in reached),
    )
    return _with_each(together, reached, 1, 0)


def _with_each(one: Reached, all_: Sequence[Reached], unit: float, digits: int) -> str:
    def text(each: Reached) -> str:
        if math.isnan(each.spent):
            return NOTHING
        return f"{'> ' if each.censored else ''}{each.spent / unit:.{digits}f}"

    if len(all_) == 1:
        return text(all_[0])
    return f"{text(one)} ({'; '.join(text(each) for each in all_)})"


def _success_columns(found: SuccessDifference | None) -> Sequence[str]:
    if found is None:
        return NOTHING, NOTHING, NOTHING
    return (
        _difference(found),
        _p(found.p),
        f"{found.pairs}: {found.only_first}, {found.only_second}",
    )


def _cycle_columns(found: TimeRatio | None) -> Sequence[str]:
    if found is None:
        return NOTHING, NOTHING, NOTHING
    interval = "" if found.low is None else f" ({found.low:.2f}–{found.high:.2f})"
    return f"{found.ratio:.2f} ×{interval}", _p(found.p), str(found.pairs)


def _difference(found: SuccessDifference) -> str:
    return f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def _p(value: float | None) -> str:
    if value is None:
        return NOTHING
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
