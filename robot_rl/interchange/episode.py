"""An episode as an export sees it, wherever it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from robot_rl.config.identity import action_names
from robot_rl.errors import BadInput
from robot_rl.schema.episode import EpisodeStarted, Outcome
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import state_names_of


class NotExportable(BadInput):
    """The episode cannot be written in this format: one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedEpisode:
    """`records`: N + 1 of an episode of N steps, in order; `rewards`: one for each of its steps.

    outcome, failure_class, note: as the latest label says. cause: why it ended.
    """

    started: EpisodeStarted
    outcome: Outcome | None
    failure_class: str | None
    note: str
    cause: str
    records: Sequence[RecordedStep]
    rewards: Sequence[float]

    @property
    def episode_id(self) -> UUID:
        return self.started.episode_id

    @property
    def steps(self) -> Sequence[RecordedStep]:
        """Those with an action."""
        return self.records[: len(self.rewards)]

    @property
    def state_names(self) -> tuple[str, ...]:
        return state_names_of(self.records[0].step.arms)

    @property
    def action_names(self) -> tuple[str, ...]:
        return action_names(self.started.provenance, len(self.executed(0)))

    def executed(self, index: int) -> tuple[float, ...]:
        """What left the gate in a step."""
        action = self.records[index].step.executed_action
        if action is None:
            raise NotExportable(f"step {index} of episode {self.episode_id} has no action")
        return action

    def is_last(self, index: int) -> bool:
        return index == len(self.rewards) - 1

    def succeeds(self, index: int) -> bool:
        """Whether a step completed the task."""
        return self.is_last(index) and self.outcome is Outcome.SUCCESS


class EpisodeSource(Protocol):
    """Goes to worker processes, so it holds addresses and no connection."""

    def read(self, episode_id: UUID) -> ExportedEpisode:
        """Raises NotExportable."""
        ...
