"""Which episodes the replay knows, and where their records and interventions stand."""

from dataclasses import dataclass, field
from uuid import UUID

from robot_rl.schema.episode import Outcome
from robot_rl.schema.intervention import InterventionUse


@dataclass(slots=True, kw_only=True)
class Episode:
    """What is known about one episode so far."""

    number: int
    episode_id: UUID | None = None  # None in demonstrations from before it was kept
    demonstration: bool = False
    preloaded: bool = False  # came with the starting policy, not from the feed
    rows: dict[int, int] = field(default_factory=dict)  # record index → row
    outcome: Outcome | None = None  # of its end or of the latest relabel
    failure_class: str | None = None  # as the person at the robot said
    steps: int | None = None  # actions, once it ended
    excluded: bool = False


@dataclass(slots=True, kw_only=True)
class Intervention:
    """What is known about one intervention so far."""

    intervention_id: UUID
    complete: bool = False  # its last step has arrived
    correction_steps: int = 0  # how many of its steps follow key C
    use: InterventionUse | None = None  # what a person decided
    sampled: bool = False  # it has been trained on


class Interventions:
    """Numbered in the order in which they were first heard of."""

    def __init__(self) -> None:
        self._all: list[Intervention] = []
        self._number: dict[UUID, int] = {}

    def number(self, intervention_id: UUID) -> int:
        number = self._number.setdefault(intervention_id, len(self._all))
        if number == len(self._all):
            self._all.append(Intervention(intervention_id=intervention_id))
        return number

    def __getitem__(self, number: int) -> Intervention:
        return self._all[number]

    @property
    def sampled(self) -> tuple[UUID, ...]:
        return tuple(each.intervention_id for each in self._all if each.sampled)

    def restore_sampled(self, sampled: tuple[UUID, ...]) -> None:
        """After the rows were built again: which had been trained on before."""
        for each in self._all:
            each.sampled = False
        for intervention_id in sampled:
            self[self.number(intervention_id)].sampled = True
