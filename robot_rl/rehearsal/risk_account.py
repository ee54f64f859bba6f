"""What the risk critic said in a rehearsal's last frozen evaluation, and what came of it."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

import numpy as np

from robot_rl.evaluation.risk_figures import Floats, RiskEpisode, RiskFigures, risk_figures
from robot_rl.rehearsal.record import EpisodeLine, Record
from robot_rl.schema.episode import Purpose
from robot_rl.schema.message import Message
from robot_rl.schema.step import RiskChoice, Step
from robot_rl.schema.transition import is_costly
from safety.vocabulary import Limit

_REPLACED = {RiskChoice.RESAMPLED, RiskChoice.RECOVERY}


class RiskReport(Message):
    """What the critic's word was worth in those episodes."""

    figures: RiskFigures
    unsafe_seeds: tuple[int, ...]  # of the scenes in which a step was unsafe


class RiskAccount:
    """State: the steps of each episode, as they are looked at."""

    def __init__(self, record: Record) -> None:
        self._lines = _last_frozen(record)
        self._wanted = {line.episode_id for line in self._lines}
        self._steps: dict[UUID, list[Step]] = defaultdict(list)

    def look(self, step: Step) -> None:
        if step.episode_id in self._wanted and step.executed_action is not None:
            self._steps[step.episode_id].append(step)

    def episodes(self) -> list[tuple[int, RiskEpisode]]:
        """Each with the seed of its scene, in the order in which they were run."""
        return [(line.seed, self._episode(line)) for line in self._lines]

    def report(self, *, step_s: float, discount: float) -> RiskReport:
        judged = [(line, self._episode(line)) for line in self._lines]
        return RiskReport(
            figures=risk_figures([each for _, each in judged], step_s=step_s, discount=discount),
            unsafe_seeds=tuple(sorted(line.seed for line, each in judged if each.unsafe.any())),
        )

    def _episode(self, line: EpisodeLine) -> RiskEpisode:
        steps = sorted(self._steps[line.episode_id], key=lambda step: step.index)
        return RiskEpisode(
            success=line.success,
            unsafe=np.array(
                [
                    is_costly(
                        step.limits,
                        last=number == len(steps),
                        outcome=line.outcome,
                        failure_class=None,
                    )
                    for number, step in enumerate(steps, 1)
                ],
                np.bool_,
            ),
            held=np.array([bool(step.limits & Limit.RISK) for step in steps], np.bool_),
            replaced=np.array([step.risk_choice in _REPLACED for step in steps], np.bool_),
            recovered=np.array(
                [step.risk_choice is RiskChoice.RECOVERY for step in steps], np.bool_
            ),
            risk=_numbers(step.risk for step in steps),
            threshold=_numbers(step.risk_threshold for step in steps),
        )


def _numbers(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _last_frozen(record: Record) -> list[EpisodeLine]:
    """Evaluations after which nothing was taught."""
    taught = [i for i, line in enumerate(record.episodes) if line.purpose is not Purpose.EVALUATION]
    return [*record.episodes[taught[-1] + 1 if taught else 0 :]]
