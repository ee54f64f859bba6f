"""Figures over episodes, as pure functions; each docstring is the definition that is shown."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robot_rl.schema.episode import Outcome

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
class EpisodeFacts:
    """What the figures need of one episode that has ended and is not excluded.

    success: None where nothing can be said of it (`judge`). steps, human_steps: actions.
    evaluation: recorded with frozen weights, for measuring.
    """

    success: bool | None
    steps: int
    human_steps: int
    interventions: int
    step_s: float
    evaluation: bool
    policy_version: int | None


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


def judge(outcome: Outcome | None, *, complete: bool) -> bool | None:
    """Whether an episode counts as a success; None: it does not count.

    The latest label decides. An aborted episode counts as not successful, whoever or whatever
    stopped it: else a policy that is stopped before it fails would look better than it is. Only
    one that a system fault cut off does not count: the robot's programs crashed in the middle or
    lost part of its record, which says nothing about the policy. (Ended on purpose, they abort it.)
    Of a fault that the robot latched, the database cannot tell whether the policy caused it, so it
    counts; a person who knows that it did not excludes the episode.
    """
    if outcome is Outcome.ABORTED:
        return False if complete else None
    return None if outcome is None else outcome is Outcome.SUCCESS


def autonomous_success(episodes: Iterable[EpisodeFacts]) -> Proportion:
    """Successes without a human step, among evaluation episodes that were labelled or aborted.

    Training episodes do not count: there a person steps in where the policy is about to fail.
    An evaluation episode in which a person drove counts as a failure of the policy.
    """
    counted = [e for e in episodes if e.evaluation and e.success is not None]
    return wilson(sum(e.success is True and e.human_steps == 0 for e in counted), len(counted))


def assisted_success(episodes: Iterable[EpisodeFacts]) -> Proportion:
    """Successes, with or without help, among all episodes that were labelled or aborted."""
    counted = [e for e in episodes if e.success is not None]
    return wilson(sum(e.success is True for e in counted), len(counted))


def intervention_rate(episodes: Iterable[EpisodeFacts]) -> float | None:
    """Human steps per step."""
    human, steps = 0, 0
    for episode in episodes:
        human += episode.human_steps
        steps += episode.steps
    return human / steps if steps else None


def mean_time_between_interventions_s(episodes: Iterable[EpisodeFacts]) -> float | None:
    """Time under the policy's control per takeover; None while there was no takeover."""
    autonomous_s, takeovers = 0.0, 0
    for episode in episodes:
        autonomous_s += (episode.steps - episode.human_steps) * episode.step_s
        takeovers += episode.interventions
    return autonomous_s / takeovers if takeovers else None


def longest_streak(episodes: Iterable[EpisodeFacts]) -> int:
    """Most successes without a human step in a row; episodes in order of time.

    Episodes that do not count (`judge`) neither go on with a streak nor end it.
    """
    longest = current = 0
    for episode in episodes:
        if episode.success is None:
            continue
        current = current + 1 if episode.success and episode.human_steps == 0 else 0
        longest = max(longest, current)
    return longest


def summarise(episodes: Sequence[EpisodeFacts]) -> Summary:
    """All figures of episodes in order of time."""
    human_s = sum(e.human_steps * e.step_s for e in episodes)
    alone = sum(e.success is True and e.human_steps == 0 for e in episodes)
    takeovers = sum(e.interventions for e in episodes)
    return Summary(
        episodes=len(episodes),
        autonomous_success=autonomous_success(episodes),
        assisted_success=assisted_success(episodes),
        intervention_rate=intervention_rate(episodes),
        takeovers_per_episode=takeovers / len(episodes) if episodes else None,
        human_s=human_s,
        robot_s=sum(e.steps * e.step_s for e in episodes),
        human_minutes_per_autonomous_success=human_s / 60 / alone if alone else None,
        mean_time_between_interventions_s=mean_time_between_interventions_s(episodes),
        longest_streak=longest_streak(episodes),
    )


def by_version(episodes: Iterable[EpisodeFacts]) -> dict[int | None, list[EpisodeFacts]]:
    """Episodes grouped by the last version that acted in them, in order of version."""
    groups: dict[int | None, list[EpisodeFacts]] = {}
    for episode in episodes:
        groups.setdefault(episode.policy_version, []).append(episode)
    return dict(sorted(groups.items(), key=lambda item: -1 if item[0] is None else item[0]))
