"""Counting episodes one by one, in order of time: what Postgres must count too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robot_rl.evaluation.metrics import Summary, Totals, summary_of
from robot_rl.schema.episode import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFacts:
    """success: None where nothing can be said of it (`judge`)."""

    success: bool | None
    steps: int
    human_steps: int
    interventions: int
    step_s: float
    evaluation: bool
    policy_version: int | None

    @property
    def alone(self) -> bool:
        return self.success is True and self.human_steps == 0


def judge(outcome: Outcome | None, *, complete: bool) -> bool | None:
    """As metrics.Totals says of `judged`."""
    if outcome is Outcome.ABORTED:
        return False if complete else None
    return None if outcome is None else outcome is Outcome.SUCCESS


def totals_of(episodes: Sequence[EpisodeFacts]) -> Totals:
    judged = [e for e in episodes if e.success is not None]
    evaluated = [e for e in judged if e.evaluation]
    return Totals(
        episodes=len(episodes),
        judged=len(judged),
        successes=sum(e.success is True for e in judged),
        alone=sum(e.alone for e in judged),
        evaluated=len(evaluated),
        evaluated_alone=sum(e.alone for e in evaluated),
        steps=sum(e.steps for e in episodes),
        human_steps=sum(e.human_steps for e in episodes),
        takeovers=sum(e.interventions for e in episodes),
        human_s=sum(e.human_steps * e.step_s for e in episodes),
        robot_s=sum(e.steps * e.step_s for e in episodes),
        longest_streak=_longest_streak(judged),
    )


def summarise(episodes: Sequence[EpisodeFacts]) -> Summary:
    return summary_of(totals_of(episodes))


def by_version(episodes: Iterable[EpisodeFacts]) -> dict[int | None, list[EpisodeFacts]]:
    """The highest version first; None last."""
    groups: dict[int | None, list[EpisodeFacts]] = {}
    for episode in episodes:
        groups.setdefault(episode.policy_version, []).append(episode)
    rank = {version: -1 if version is None else version for version in groups}
    return {version: groups[version] for version in sorted(groups, key=rank.__getitem__)[::-1]}


def _longest_streak(judged: Sequence[EpisodeFacts]) -> int:
    longest = current = 0
    for episode in judged:
        current = current + 1 if episode.alone else 0
        longest = max(longest, current)
    return longest
