"""The replay: every training step as features, action and evidence; two views of it are sampled.

D_on holds every step, D_demo the corrections and demonstrations (LEARNING.md). A transition joins
record i with record i + 1 of the same episode, whichever segments brought them; nothing else.
Rewards are derived, and derived again when a label changes. Everything happens in feed order and
the generator is passed in, so that the same feed and seed give the same batches, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import torch
from numpy.typing import NDArray

from robot_rl.config.task import Task
from robot_rl.learner.demonstrations import Trajectory
from robot_rl.learner.index_set import IndexSet
from robot_rl.learner.samplers import HalfAndHalf, Sampler
from robot_rl.schema.episode import Outcome
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.transition import shows
from safety.vocabulary import Phase, Source

NOWHERE = -1
CPU = torch.device("cpu")
HALF_AND_HALF = HalfAndHalf()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Transitions; the first half from D_on, the second from D_demo, where both have steps."""

    features: torch.Tensor  # (batch, features)
    next_features: torch.Tensor  # (batch, features)
    action: torch.Tensor  # (batch, 7) executed
    human: torch.Tensor  # (batch, 7), zero where `shown` is false
    shown: torch.Tensor  # (batch,) bool: a person demonstrated or corrected this step
    reward: torch.Tensor  # (batch,)
    gripper_penalty: torch.Tensor  # (batch,) ≤ 0
    bootstrap: torch.Tensor  # (batch,) 0 where the episode terminated, 1 elsewhere
    online: int  # how many rows came from D_on


@dataclass(slots=True, kw_only=True)
class EpisodeRows:
    """What is known about one episode so far."""

    number: int
    rows: dict[int, int] = field(default_factory=dict)  # record index → row
    outcome: Outcome | None = None  # of its end or of the latest relabel
    steps: int | None = None  # actions, once it ended
    excluded: bool = False


class Replay:
    """`capacity` rows for the feed, oldest overwritten first; preloaded demonstrations stay."""

    def __init__(
        self,
        task: Task,
        features: int,
        preloaded: Sequence[Trajectory] = (),
        capacity: int = 0,
        device: torch.device = CPU,
    ) -> None:
        self.task, self.device = task, device
        self.capacity = capacity or task.learner.replay_steps
        rows = self.capacity + sum(len(each.features) for each in preloaded)
        self.features = np.zeros((rows, features), np.float32)
        self.executed = np.full((rows, 7), np.nan, np.float32)
        self.human = np.full((rows, 7), np.nan, np.float32)
        self.own = np.full((rows, 7), np.nan, np.float32)  # what a person did, imitated or not
        self.shown = np.zeros(rows, bool)  # imitated unless a person decides otherwise
        self.success = np.zeros(rows, bool)
        self.terminated = np.zeros(rows, bool)
        self.truncated = np.zeros(rows, bool)
        self.reward = np.zeros(rows, np.float32)
        self.penalty = np.zeros(rows, np.float32)
        self.bootstrap = np.zeros(rows, np.float32)
        self.next_row = np.full(rows, NOWHERE, np.int64)
        self.intervention = np.full(rows, NOWHERE, np.int32)
        self._episode = np.full(rows, NOWHERE, np.int32)
        self._index = np.zeros(rows, np.int32)
        self.online = IndexSet(rows)
        self.demonstrated = IndexSet(rows)
        self.interventions: list[UUID] = []
        self.fresh_interventions: list[UUID] = []  # finished, first sampled since a version
        self.sampled_rows = (0, 0)  # from D_on and D_demo, since a version
        self.received = 0  # steps with an action that ever came from the feed
        self._intervention_number: dict[UUID, int] = {}
        self._complete: set[int] = set()  # interventions whose last step has arrived
        self._correction_steps: dict[int, int] = {}  # of those
        self._use: dict[int, InterventionUse] = {}  # what people decided
        self._sampled: set[int] = set()
        self._episodes: dict[UUID, EpisodeRows] = {}
        self._by_number: list[EpisodeRows] = []
        self._cursor = 0
        self._preload(preloaded)

    # ---- what comes in -------------------------------------------------------------------------

    def start(self, episode_id: UUID) -> None:
        """An episode whose steps are wanted."""
        if episode_id not in self._episodes:
            episode = EpisodeRows(number=len(self._by_number))
            self._episodes[episode_id] = episode
            self._by_number.append(episode)

    def holds(self, episode_id: UUID) -> bool:
        """Whether steps of this episode are wanted."""
        return episode_id in self._episodes

    def add(
        self,
        episode_id: UUID,
        first_index: int,
        trajectory: Trajectory,
        interventions: Sequence[UUID | None],
        own: NDArray[np.float32] | None = None,
    ) -> None:
        """Consecutive records of a started episode from `first_index`; known ones are ignored.

        own (records, 7): what a person did alone, also where it is not imitated by itself; NaN
        elsewhere. Without it only what is imitated is known.
        """
        episode = self._episodes[episode_id]
        fresh: list[int] = []
        for offset in range(len(trajectory.features)):
            index = first_index + offset
            if index in episode.rows:
                continue
            row = self._take_row(episode.number, index)
            episode.rows[index] = row
            self._write(row, trajectory, offset)
            if own is not None:
                self.own[row] = own[offset]
            self.intervention[row] = self._number_of(interventions[offset])
            self.received += not np.isnan(trajectory.executed[offset, 0])
            fresh.append(index)
        for index in fresh:
            self._join(episode, index - 1)
            self._join(episode, index)
        for index in sorted({*fresh, *(index - 1 for index in fresh)}):
            self._judge(episode, index)

    def end(self, episode_id: UUID, outcome: Outcome, steps: int) -> None:
        """The episode ended, as the robot or the person at it says."""
        episode = self._episodes[episode_id]
        episode.steps = steps
        self._set_outcome(episode, outcome)

    def relabel(self, episode_id: UUID, outcome: Outcome) -> None:
        """A person changed their mind; the newest label counts."""
        self._set_outcome(self._episodes[episode_id], outcome)

    def exclude(self, episode_id: UUID, excluded: bool) -> None:
        """Take an episode out of training, or back in."""
        episode = self._episodes[episode_id]
        episode.excluded = excluded
        for index in sorted(episode.rows):
            self._judge(episode, index)

    def decide(self, intervention_id: UUID, use: InterventionUse) -> None:
        """A person said what a takeover is for; the newest decision counts."""
        number = self._number_of(intervention_id)
        self._use[number] = use
        rows = np.flatnonzero(self.intervention == number)
        for row in sorted(rows.tolist(), key=lambda row: int(self._index[row])):
            self._judge(self._by_number[self._episode[row]], int(self._index[row]))

    # ---- what goes out -------------------------------------------------------------------------

    def sample(
        self, batch: int, rng: np.random.Generator, sampler: Sampler = HALF_AND_HALF
    ) -> Batch:
        """A batch of the sampler's choice. ValueError: there is nothing to sample."""
        rows, online = sampler.draw(self, batch, rng)
        self._notice(rows)
        before = self.sampled_rows
        self.sampled_rows = (before[0] + online, before[1] + batch - online)
        human = self.human[rows]
        shown = ~np.isnan(human[:, 0])
        return Batch(
            features=self._tensor(self.features[rows]),
            next_features=self._tensor(self.features[self.next_row[rows]]),
            action=self._tensor(self.executed[rows]),
            human=self._tensor(np.where(shown[:, None], human, np.float32(0))),
            shown=self._tensor(shown),
            reward=self._tensor(self.reward[rows]),
            gripper_penalty=self._tensor(self.penalty[rows]),
            bootstrap=self._tensor(self.bootstrap[rows]),
            online=online,
        )

    def complete(self, intervention_id: UUID, correction_steps: int = 0) -> None:
        """The person let go: from now on a batch with its steps counts as trained on it.

        correction_steps: how many of its steps follow key C.
        """
        number = self._number_of(intervention_id)
        self._complete.add(number)
        self._correction_steps[number] = correction_steps

    def _tensor(self, values: NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device)

    def published(self) -> None:
        """What was sampled up to now is in a version: begin to count anew."""
        self.fresh_interventions.clear()
        self.sampled_rows = (0, 0)

    @property
    def sampled_interventions(self) -> tuple[UUID, ...]:
        """Interventions that have entered training."""
        return tuple(self.interventions[number] for number in sorted(self._sampled))

    def restore_sampled(self, sampled: Sequence[UUID], fresh: Sequence[UUID]) -> None:
        """After the rows were built again: what had already entered training before."""
        self._sampled = {self._number_of(intervention) for intervention in sampled}
        self.fresh_interventions = list(fresh)

    @property
    def bytes_per_step(self) -> float:
        """Memory of one stored step."""
        arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        sets = 2 * self.online.nbytes
        return (sum(array.nbytes for array in arrays) + sets) / len(self.features)

    # ---- inside --------------------------------------------------------------------------------

    def _preload(self, trajectories: Sequence[Trajectory]) -> None:
        row = self.capacity
        for trajectory in trajectories:
            episode = EpisodeRows(number=len(self._by_number))
            self._by_number.append(episode)
            for offset in range(len(trajectory.features)):
                episode.rows[offset] = row
                self._episode[row], self._index[row] = episode.number, offset
                self._write(row, trajectory, offset)
                row += 1
            for offset in episode.rows:
                self._join(episode, offset)
            # What was cloned from counts as done: people keep the demonstrations that succeeded.
            episode.steps = len(trajectory.features) - 1
            episode.outcome = Outcome.SUCCESS
            for offset in episode.rows:
                self._judge(episode, offset)
                self.online.discard(episode.rows[offset])

    def _take_row(self, number: int, index: int) -> int:
        row, self._cursor = self._cursor, (self._cursor + 1) % self.capacity
        if self._episode[row] != NOWHERE:
            self._forget(row)
        self._episode[row], self._index[row] = number, index
        return row

    def _forget(self, row: int) -> None:
        """Overwrite the oldest record: neither it nor the step that led to it can be sampled."""
        episode, index = self._by_number[self._episode[row]], int(self._index[row])
        self.online.discard(row)
        self.demonstrated.discard(row)
        before = episode.rows.get(index - 1)
        if before is not None:
            self.next_row[before] = NOWHERE
            self.online.discard(before)
            self.demonstrated.discard(before)
        del episode.rows[index]

    def _write(self, row: int, trajectory: Trajectory, offset: int) -> None:
        self.features[row] = trajectory.features[offset]
        self.executed[row] = trajectory.executed[offset]
        self.human[row] = self.own[row] = trajectory.human[offset]
        self.shown[row] = not np.isnan(trajectory.human[offset, 0])
        self.success[row] = trajectory.success[offset]
        self.terminated[row] = trajectory.terminated[offset]
        self.truncated[row] = trajectory.truncated[offset]
        self.next_row[row] = NOWHERE
        self.intervention[row] = NOWHERE

    def _number_of(self, intervention: UUID | None) -> int:
        if intervention is None:
            return NOWHERE
        number = self._intervention_number.setdefault(intervention, len(self.interventions))
        if number == len(self.interventions):
            self.interventions.append(intervention)
        return number

    def _join(self, episode: EpisodeRows, index: int) -> None:
        row, after = episode.rows.get(index), episode.rows.get(index + 1)
        if row is not None and after is not None:
            self.next_row[row] = after

    def _set_outcome(self, episode: EpisodeRows, outcome: Outcome) -> None:
        episode.outcome = outcome
        for index in sorted(episode.rows):
            self._judge(episode, index)

    def _judge(self, episode: EpisodeRows, index: int) -> None:
        """Derive reward and bootstrap of a transition, and whether it can be sampled."""
        row = episode.rows.get(index)
        if row is None:
            return
        after = int(self.next_row[row])
        success = after != NOWHERE and self._succeeds(episode, index, row, after)
        if success is None or after == NOWHERE or episode.excluded or self._unusable(row):
            self.online.discard(row)
            self.demonstrated.discard(row)
            return
        rule = self.task.reward
        self.reward[row] = rule.step + (rule.success if success else 0.0)
        self.penalty[row] = rule.gripper_change if self._changes_gripper(episode, index) else 0.0
        self.bootstrap[row] = 0.0 if success or self._terminates(row, after) else 1.0
        self.online.add(row)
        self._imitate(row)
        if np.isnan(self.human[row, 0]):
            self.demonstrated.discard(row)
        else:
            self.demonstrated.add(row)

    def _imitate(self, row: int) -> None:
        """Whether what a person did here is imitated, once they have decided about it."""
        number = int(self.intervention[row])
        if number not in self._use:
            return
        imitated = shows(
            Source.HUMAN,
            Phase.CORRECTION if self.shown[row] else Phase.RECOVERY,
            demonstration=False,
            use=self._use[number],
            correction_steps=self._correction_steps.get(number, 0),
        )
        self.human[row] = self.own[row] if imitated else np.nan

    def _unusable(self, row: int) -> bool:
        """No action, discarded, or the task was done before it by the simulator's word."""
        if self._use.get(int(self.intervention[row])) is InterventionUse.DISCARD:
            return True
        done = self.task.reward.source == "simulator" and bool(self.success[row])
        return bool(np.isnan(self.executed[row, 0])) or done

    def _last(self, episode: EpisodeRows, index: int, row: int, after: int) -> bool:
        """Whether this is the episode's last transition."""
        if episode.steps is not None:
            return index == episode.steps - 1
        flagged = self.terminated[row] or self.truncated[row]
        return bool(flagged or np.isnan(self.executed[after, 0]))

    def _succeeds(self, episode: EpisodeRows, index: int, row: int, after: int) -> bool | None:
        """Whether the transition completes the task; None while nobody can know."""
        last = self._last(episode, index, row, after)
        if episode.outcome is not None:
            return last and episode.outcome is Outcome.SUCCESS
        if self.task.reward.source == "simulator":
            return bool(self.success[after])
        return None if last else False

    def _terminates(self, row: int, after: int) -> bool:
        """The flag may stand on the step that ended the episode or on the record after it."""
        final = np.isnan(self.executed[after, 0])
        return bool(self.terminated[row] or (final and self.terminated[after]))

    def _changes_gripper(self, episode: EpisodeRows, index: int) -> bool:
        """Whether the step orders the gripper another way than the episode's last order."""
        order = self.executed[episode.rows[index], -1]
        if order == 0:
            return False
        for earlier in range(index - 1, -1, -1):
            row = episode.rows.get(earlier)
            if row is None or np.isnan(self.executed[row, -1]):
                continue
            if self.executed[row, -1] != 0:
                return bool(np.sign(self.executed[row, -1]) != np.sign(order))
        start = {"open": 1.0, "closed": -1.0, "keep": 0.0}[self.task.reset.gripper]
        return bool(np.sign(order) != start)

    def _notice(self, rows: NDArray[np.int64]) -> None:
        numbers = self.intervention[rows]
        seen = {*numbers[numbers != NOWHERE].tolist()} & self._complete
        for number in sorted(seen - self._sampled):
            self._sampled.add(number)
            self.fresh_interventions.append(self.interventions[number])
