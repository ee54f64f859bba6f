"""Figures over episodes, from totals that the database counts; docstrings are the definitions."""

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""Normal quantile of a two-sided 95 % interval."""

DEFINITIONS_VERSION = 2
"""Raised when a definition changes, so that figures of different definitions are never compared.

2: an aborted episode counts as not successful; before, it was left out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """Successes among trials, with its Wilson 95 % interval. Without trials it is 0 … 1."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """None without trials."""
        return self.successes / self.trials if self.trials else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the figures are made of, over episodes that have ended and are not excluded.

    judged: of which can be said whether they are a success. The latest label decides. An aborted
    episode counts as not successful, whoever or whatever stopped it: else a policy that is stopped
    before it fails would look better than it is. Only one that a system fault cut off does not
    count: the robot's programs crashed in the middle or lost part of its record, which says nothing
    about the policy. (Ended on purpose, they abort it.) Of a fault that the robot latched, the
    database cannot tell whether the policy caused it, so it counts; a person who knows that it did
    not excludes the episode.
    successes: of these; alone: of these, without a human step.
    evaluated: judged ones that were recorded with frozen weights, for measuring. Training episodes
    are none: there a person steps in where the policy is about to fail. evaluated_alone: their
    successes without a human step; one in which a person drove counts as a failure of the policy.
    steps, human_steps: actions. human_s, robot_s: their time.
    longest_streak: most successes without a human step in a row, in order of time; episodes that
    are not judged neither go on with a streak nor end it.
    """

    episodes: int = 0
    judged: int = 0
    successes: int = 0
    alone: int = 0
    evaluated: int = 0
    evaluated_alone: int = 0
    steps: int = 0
    human_steps: int = 0
    takeovers: int = 0
    human_s: float = 0.0
    robot_s: float = 0.0
    longest_streak: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a set of episodes."""

    episodes: int
    autonomous_success: Proportion
    assisted_success: Proportion
    intervention_rate: float | None
    takeovers_per_episode: float | None
    human_s: float
    robot_s: float
    human_minutes_per_autonomous_success: float | None
    mean_time_between_interventions_s: float | None
    longest_streak: int


def wilson(successes: int, trials: int, z: float = Z_95) -> Proportion:
    """Wilson's score interval (Wilson 1927): honest for few trials and near 0 and 1.

    centre = (p + z²/2n) / (1 + z²/n), half width = z/(1 + z²/n) · √(p(1 − p)/n + z²/4n²).
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials are not possible")
    if trials == 0:
        return Proportion(successes=0, trials=0, low=0.0, high=1.0)
    p = successes / trials
    scale = 1 + z * z / trials
    centre = (p + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    # At the ends the formula is exact; rounding must not move it past them.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return Proportion(successes=successes, trials=trials, low=low, high=high)


def summary_of(totals: Totals) -> Summary:
    """intervention_rate: human steps per step. mean_time_between_interventions_s: time under the
    policy's control per takeover. None where there is nothing to divide by.
    """
    autonomous_s = totals.robot_s - totals.human_s
    return Summary(
        episodes=totals.episodes,
        autonomous_success=wilson(totals.evaluated_alone, totals.evaluated),
        assisted_success=wilson(totals.successes, totals.judged),
        intervention_rate=_per(totals.human_steps, totals.steps),
        takeovers_per_episode=_per(totals.takeovers, totals.episodes),
        human_s=totals.human_s,
        robot_s=totals.robot_s,
        human_minutes_per_autonomous_success=_per(totals.human_s / 60, totals.alone),
        mean_time_between_interventions_s=_per(autonomous_s, totals.takeovers),
        longest_streak=totals.longest_streak,
    )


def _per(amount: float, count: int) -> float | None:
    return amount / count if count else None
