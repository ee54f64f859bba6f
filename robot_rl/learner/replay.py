"""The replay: every training step as features, action and evidence; views of it are sampled.

D_on holds every step, D_demo the corrections and demonstrations. A transition joins record i with
record i + 1 of the same episode, whichever segments brought them; nothing else. Rewards are
derived, and derived again when a label changes (robot_rl.schema.transition). Everything happens in
feed order and the generator is passed in, so that the same feed and seed give the same batches, bit
for bit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import numpy as np
import torch

from robot_rl.config.task import Task
from robot_rl.learner.columns import HUMAN, NOTHING, SOURCES, Trajectory
from robot_rl.learner.derived import SHOWN, BatchColumn, Next, StoredColumn
from robot_rl.learner.device import send
from robot_rl.learner.device_features import DeviceFeatures
from robot_rl.learner.episodes import Episode, Interventions
from robot_rl.learner.first_samples import FirstSamples
from robot_rl.learner.index_set import IndexSet
from robot_rl.learner.samplers import Rows, Sampler
from robot_rl.learner.storage import Storage
from robot_rl.learner.transitions import TransitionJudge
from robot_rl.schema.episode import Outcome
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.transition import leads_on

CPU = torch.device("cpu")
LARGE = "features"
"""The column that is worth a place in a GPU's memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The columns that were asked for, (batch, …) each."""

    columns: Mapping[BatchColumn, torch.Tensor]
    online: int  # how many rows, the first ones, came from D_on
    shown: int | None = None  # how many a person showed, of all processes; None: to be counted
    parts: int = 1  # among how many processes it is divided

    def __getitem__(self, column: BatchColumn) -> torch.Tensor:
        return self.columns[column]

    def count_shown(self) -> int:
        return int(self.columns[SHOWN].sum()) if self.shown is None else self.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an episode from the feed tells an encoder, by the newest labels and decisions."""

    episode_id: UUID
    number: int  # the how-manieth episode of the feed it is
    succeeded: bool
    shown: frozenset[int]  # indices of steps that are imitated


class Reshaping(Protocol):
    """What changes the rewards of batches (robot_rl.learner.shaping)."""

    def reshaped(self, batch: Batch) -> Batch: ...

    def potential(self, features: torch.Tensor) -> torch.Tensor:
        """(batch,): by how much the values of these are less than without it."""
        ...


def _nobody_looks(rows: Rows, online: int) -> None:
    del rows, online


class Replay:
    """`capacity` rows each for autonomous steps and for people's, oldest overwritten first;
    preloaded demonstrations stay.
    """

    def __init__(
        self,
        task: Task,
        features: int,
        preloaded: Sequence[Trajectory] = (),
        capacity: int = 0,
        device: torch.device = CPU,
    ) -> None:
        self.task, self.device = task, device
        self.store = Storage(
            capacity=capacity or task.learner.replay_steps,
            kept=sum(map(len, preloaded)),
            action=task.action.size,
            features=features,
        )
        on_device = device.type != CPU.type and task.learner.compute.replay_on_device
        self.device_features = (
            DeviceFeatures(self.store.column(LARGE), device) if on_device else None
        )
        self.online = IndexSet(self.store.rows)
        self.demonstrated = IndexSet(self.store.rows)
        self.demonstrations = IndexSet(self.store.rows)  # of D_demo: without corrections
        self.succeeded = IndexSet(self.store.rows)  # of D_on: steps of episodes that succeeded
        self.accepted = IndexSet(self.store.rows)  # of those: the ones that may be imitated for it
        self.failed = IndexSet(self.store.rows)  # of D_on: of those that did not
        self.unsafe = IndexSet(self.store.rows)  # of D_on: what a risk critic must learn to avoid
        self.fresh_interventions: list[UUID] = []  # finished, first sampled since a version
        self.sampled_rows = (0, 0)  # from D_on and D_demo, since a version
        self.on_sample: Callable[[Rows, int], None] = _nobody_looks
        self.shaping: Reshaping | None = None
        self.received = 0  # trainable steps that ever came from the feed
        self._interventions = Interventions()
        self.first_samples = FirstSamples(self.store)
        self._judge = TransitionJudge(task, self.store, self._interventions)
        self._episodes: dict[UUID, Episode] = {}
        self._by_number: list[Episode] = []
        for trajectory in preloaded:
            self._preload(trajectory)

    # ---- what comes in -------------------------------------------------------------------------

    def start(self, episode_id: UUID, *, demonstration: bool = False) -> None:
        """An episode whose steps are wanted. Its steps from the feed replace preloaded ones."""
        known = self._episodes.get(episode_id)
        if known is not None and not known.preloaded:
            return
        if known is not None:
            for row in known.rows.values():
                self._withdraw(row)
                self.store.release(row)
            known.rows.clear()
        self._open(episode_id, demonstration=demonstration)

    def holds(self, episode_id: UUID) -> bool:
        """Whether labels of this episode matter here."""
        return episode_id in self._episodes

    def wants(self, episode_id: UUID) -> bool:
        """Whether steps of this episode are wanted from the feed."""
        return self.holds(episode_id) and not self._episodes[episode_id].preloaded

    def add(
        self,
        episode_id: UUID,
        first_index: int,
        trajectory: Trajectory,
        interventions: Sequence[UUID | None],
    ) -> None:
        """Consecutive records of a started episode from `first_index`; known ones are ignored."""
        episode = self._episodes[episode_id]
        fresh: list[int] = []
        for offset in range(len(trajectory)):
            index = first_index + offset
            if index in episode.rows:
                continue
            row = self._take_row(episode, index, trajectory, offset)
            self._write(row, trajectory, offset)
            intervention = interventions[offset]
            if intervention is not None:
                self.store.intervention[row] = self._interventions.number(intervention)
            acted = not np.isnan(trajectory["executed"][offset, 0])
            self.received += bool(acted and trajectory["seen"][offset])
            fresh.append(index)
        for index in fresh:
            self._join(episode, index - 1)
            self._join(episode, index)
        self._judge_all(episode, {*fresh, *(index - 1 for index in fresh)})

    def end(
        self, episode_id: UUID, outcome: Outcome, steps: int, failure_class: str | None = None
    ) -> None:
        """The episode ended, as the robot or the person at it says."""
        episode = self._episodes[episode_id]
        episode.steps, episode.failure_class = steps, failure_class
        self._set_outcome(episode, outcome)

    def relabel(self, episode_id: UUID, outcome: Outcome) -> None:
        """A person changed their mind; the newest label counts."""
        self._set_outcome(self._episodes[episode_id], outcome)

    def exclude(self, episode_id: UUID, excluded: bool) -> None:
        """Take an episode out of training, or back in."""
        episode = self._episodes[episode_id]
        episode.excluded = excluded
        self._judge_all(episode, episode.rows)

    def complete(self, intervention_id: UUID, correction_steps: int = 0) -> None:
        """The person let go: from now on a batch with its steps counts as trained on it.

        correction_steps: how many of its steps follow key C.
        """
        intervention = self._interventions[self._interventions.number(intervention_id)]
        intervention.complete, intervention.correction_steps = True, correction_steps

    def decide(self, intervention_id: UUID, use: InterventionUse) -> None:
        """A person said what a takeover is for; the newest decision counts."""
        number = self._interventions.number(intervention_id)
        self._interventions[number].use = use
        touched: dict[int, list[int]] = {}
        for row in self.store.rows_of_intervention(number).tolist():
            owner = self.store.owner(row)
            if owner is not None:
                touched.setdefault(owner[0], []).append(owner[1])
        for episode, indices in touched.items():
            self._judge_all(self._by_number[episode], indices)

    def told(self, count: int) -> tuple[Told, ...]:
        """The newest so many episodes from the feed that an encoder can learn from, the oldest of
        them first: what succeeded tells where it was going, what a person showed tells what to do.
        """
        from_feed = [each for each in self._episodes.items() if not each[1].preloaded]
        heard = sorted(from_feed, key=lambda each: each[1].number)  # as they were first heard of
        found: list[Told] = []
        for number, (episode_id, episode) in reversed([*enumerate(heard)]):
            rows = episode.rows.items()
            shown = frozenset(index for index, row in rows if self.store.shown[row])
            succeeded = episode.outcome is Outcome.SUCCESS
            if len(found) < count and not episode.excluded and (succeeded or shown):
                found.append(
                    Told(episode_id=episode_id, number=number, succeeded=succeeded, shown=shown)
                )
        return tuple(reversed(found))

    def newest_episodes(self) -> Iterator[Episode]:
        """Those from the feed, the newest first, to be read only."""
        return (each for each in reversed(self._by_number) if not each.preloaded)

    def successes(self) -> Iterator[Episode]:
        """Episodes that ended in a success, demonstrations too, to be read only."""
        return (
            each
            for each in self._by_number
            if each.outcome is Outcome.SUCCESS and each.steps is not None and not each.excluded
        )

    # ---- what goes out -------------------------------------------------------------------------

    def sample(
        self,
        count: int,
        rng: np.random.Generator,
        sampler: Sampler,
        columns: Iterable[BatchColumn],
    ) -> Batch:
        """`count` rows of the sampler's choice. ValueError: there is nothing to sample."""
        rows, online = sampler.draw(self, count, rng)
        self._notice(rows)
        self.first_samples.notice(rows, self._by_number)
        self.on_sample(rows, online)
        before = self.sampled_rows
        self.sampled_rows = (before[0] + online, before[1] + count - online)
        batch = self.gather(rows, columns, online)
        return batch if self.shaping is None else self.shaping.reshaped(batch)

    def gather(self, rows: Rows, columns: Iterable[BatchColumn], online: int = 0) -> Batch:
        """The columns of rows that were drawn elsewhere; they do not count as trained on."""
        wanted = tuple(columns)
        shown = int(SHOWN.of(self, rows).sum()) if SHOWN in wanted else None
        return Batch(
            columns={column: self._tensor(column, rows) for column in wanted},
            online=online,
            shown=shown,
        )

    def published(self) -> None:
        """What was sampled up to now is in a version: begin to count anew."""
        self.fresh_interventions.clear()
        self.first_samples.published()
        self.sampled_rows = (0, 0)

    @property
    def episodes(self) -> int:
        """How many it ever knew; they are numbered in that order."""
        return len(self._by_number)

    @property
    def sampled_interventions(self) -> tuple[UUID, ...]:
        """Interventions that have entered training."""
        return self._interventions.sampled

    def unsampled(self, most: int) -> Rows:
        """Steps that people drove and that were in no batch yet, the oldest first."""
        return np.array(self.first_samples.waiting[:most], np.int64)

    def restore_sampled(self, sampled: Sequence[UUID], fresh: Sequence[UUID]) -> None:
        """After the rows were built again: what had already entered training before."""
        self._interventions.restore_sampled(tuple(sampled))
        self.fresh_interventions = list(fresh)

    @property
    def bytes_per_step(self) -> float:
        """Memory of one stored step."""
        views = sum(each.nbytes for each in self._views)
        return (self.store.nbytes + views) / self.store.rows

    @property
    def _views(self) -> tuple[IndexSet, ...]:
        shown = (self.demonstrated, self.demonstrations)
        return (self.online, *shown, self.succeeded, self.accepted, self.failed, self.unsafe)

    def _tensor(self, column: BatchColumn, rows: Rows) -> torch.Tensor:
        features = self.device_features
        stored = isinstance(column, StoredColumn | Next)
        if features is not None and stored and column.name == LARGE:
            return features.of(column.rows(self, rows))
        return send(torch.from_numpy(column.of(self, rows)), self.device)

    def _notice(self, rows: Rows) -> None:
        numbers = self.store.intervention[rows]
        for number in sorted({*numbers[numbers != NOTHING].tolist()}):
            intervention = self._interventions[number]
            if intervention.complete and not intervention.sampled:
                intervention.sampled = True
                self.fresh_interventions.append(intervention.intervention_id)

    # ---- rows ----------------------------------------------------------------------------------

    def _open(self, episode_id: UUID | None, *, demonstration: bool) -> Episode:
        episode = Episode(
            number=len(self._by_number), episode_id=episode_id, demonstration=demonstration
        )
        self._by_number.append(episode)
        if episode_id is not None:
            self._episodes[episode_id] = episode
        return episode

    def _preload(self, trajectory: Trajectory) -> None:
        """What was cloned from counts as done: people keep the demonstrations that succeeded."""
        episode = self._open(trajectory.episode_id, demonstration=True)
        episode.preloaded, episode.outcome = True, Outcome.SUCCESS
        episode.steps = len(trajectory) - 1
        for offset in range(len(trajectory)):
            self._write(self.store.take_kept(episode, offset), trajectory, offset)
        for offset in episode.rows:
            self._join(episode, offset)
        self._judge_all(episode, episode.rows)

    def _write(self, row: int, trajectory: Trajectory, offset: int) -> None:
        self.store.write(row, trajectory, offset)
        if self.device_features is not None:
            self.device_features.wrote(row)

    def _take_row(self, episode: Episode, index: int, trajectory: Trajectory, offset: int) -> int:
        """What a person did, and what it led to, stays as long as what people do is kept."""
        before = episode.rows.get(index - 1)
        after_person = before is not None and self.store.columns["source"][before] == HUMAN
        person = bool(after_person or trajectory["source"][offset] == HUMAN)
        oldest = self.store.next_place(person=person)
        owner = self.store.owner(oldest)
        if owner is not None:
            self._forget(oldest, self._by_number[owner[0]], owner[1])
        return self.store.take(episode, index, person=person)

    def _forget(self, row: int, episode: Episode, index: int) -> None:
        """Overwrite the oldest record: neither it nor the step that led to it can be sampled."""
        self._withdraw(row)
        before = episode.rows.get(index - 1)
        if before is not None:
            self._withdraw(before)
        self.store.release(row)
        del episode.rows[index]

    def _join(self, episode: Episode, index: int) -> None:
        row, after = episode.rows.get(index), episode.rows.get(index + 1)
        if row is not None and after is not None:
            self.store.join(row, after)

    # ---- what can be sampled -------------------------------------------------------------------

    def _set_outcome(self, episode: Episode, outcome: Outcome) -> None:
        episode.outcome = outcome
        self._judge_all(episode, episode.rows)

    def _judge_all(self, episode: Episode, indices: Iterable[int]) -> None:
        for index in sorted(indices):
            row = episode.rows.get(index)
            if row is None:
                continue
            if self._judge.derive(episode, index, row):
                self._enter(episode, row)
            else:
                self._withdraw(row)

    def _withdraw(self, row: int) -> None:
        self.store.usable[row] = self.store.shown[row] = False
        self.first_samples.leave(row)
        for view in self._views:
            view.discard(row)

    def _enter(self, episode: Episode, row: int) -> None:
        outcome = None if episode.preloaded else episode.outcome
        shown = bool(self.store.shown[row])
        source = SOURCES[int(self.store.columns["source"][row])]
        self.first_samples.enter(row)
        for view, belongs in (
            (self.online, not episode.preloaded),
            (self.demonstrated, shown),
            (self.demonstrations, shown and episode.demonstration),
            (self.succeeded, outcome is Outcome.SUCCESS),
            (self.accepted, outcome is Outcome.SUCCESS and leads_on(source)),
            (self.failed, outcome not in (None, Outcome.SUCCESS)),
            (self.unsafe, not episode.preloaded and bool(self.store.cost[row])),
        ):
            (view.add if belongs else view.discard)(row)
