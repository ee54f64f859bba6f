"""Learning curves as numbers: of each seed, and their mean. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from robot_rl.rehearsal.timeline import EpisodeEntry
from robot_rl.schema.episode import Purpose
from robot_rl.study.results import CellReport

_HELP_EPISODES = 10  # of training, over which the human share is taken
_MEAN_POINTS = 60


class Against(StrEnum):
    """What a curve is drawn against; the text stands at its axis."""

    ROBOT_MINUTES = "robot-minutes"
    HUMAN_SECONDS = "human-seconds"


class Quantity(StrEnum):
    """What a curve shows; the text stands at its axis."""

    SUCCESS = "frozen success"
    HUMAN_SHARE = "human share of steps"
    CYCLE = "cycle time / s"


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in order of x."""

    x: tuple[float, ...]
    y: tuple[float, ...]


def curve(report: CellReport, quantity: Quantity, against: Against) -> Curve:
    """Of one cell. Empty where nothing was measured."""
    if quantity is Quantity.HUMAN_SHARE:
        return _human_share(report.timeline, against)
    points: list[tuple[float, float]] = []
    for found in report.frozen:
        y = found.success.value if quantity is Quantity.SUCCESS else found.cycle_s
        if y is not None:
            points.append((_x(found.robot_s, found.human_s, against), y))
    return _curve(points)


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Where all of them have something to say; between two points of one it is a straight line."""
    told = [each for each in curves if each.x]
    if not told:
        return Curve((), ())
    begin, end = max(each.x[0] for each in told), min(each.x[-1] for each in told)
    if end < begin:
        return Curve((), ())
    grid = np.linspace(begin, end, _MEAN_POINTS)
    values = np.mean([np.interp(grid, each.x, each.y) for each in told], axis=0)
    return Curve(tuple(grid.tolist()), tuple(values.tolist()))


def _human_share(timeline: Sequence[EpisodeEntry], against: Against) -> Curve:
    """Of the last ten training episodes, at the end of each."""
    points: list[tuple[float, float]] = []
    robot_s = human_s = 0.0
    recent: list[EpisodeEntry] = []
    for entry in timeline:
        if entry.frozen:
            continue
        robot_s, human_s = robot_s + entry.robot_s, human_s + entry.human_s
        if entry.purpose is Purpose.TRAINING:
            recent = [*recent, entry][-_HELP_EPISODES:]
            steps = sum(each.steps for each in recent)
            share = sum(each.human_steps for each in recent) / steps if steps else 0.0
            points.append((_x(robot_s, human_s, against), share))
    return _curve(points)


def _x(robot_s: float, human_s: float, against: Against) -> float:
    return robot_s / 60 if against is Against.ROBOT_MINUTES else human_s


def _curve(points: Sequence[tuple[float, float]]) -> Curve:
    """Of several points at one x, as while nobody helps, the last one stands."""
    last = dict(points)
    return Curve(tuple(last), tuple(last.values()))
