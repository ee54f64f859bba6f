"""What a person decides about a takeover changes what is imitated, and what is trained on."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from robot_rl.config.document import load_task
from robot_rl.config.task import Task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.derived import DECIDED, IMITATED, SHOWN
from robot_rl.learner.encoder import Encoder
from robot_rl.learner.index_set import IndexSet
from robot_rl.learner.intake import Intake
from robot_rl.learner.replay import Replay
from robot_rl.learner.samplers import HalfAndHalf
from robot_rl.policy.interface import Observation
from robot_rl.schema.feed import InterventionDecided
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.message import new_id
from tests.learner.lab import NOON, Lab, record_episode

STEPS, HUMAN = 10, (4, 5, 6, 7)
NO_KEY_C = 99


class Numbered:
    """A backbone whose features are the number of the observation: rows are told apart by it."""

    kind, sha256, size = "numbered", "0" * 64, 1

    def __init__(self, cameras: Sequence[str]) -> None:
        self.cameras = tuple(cameras)
        self._next = 0

    def features(self, observation: Observation) -> NDArray[np.float32]:
        self._next += 1
        return np.array([self._next - 1], np.float32)

    def features_of(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        return np.stack([self.features(each) for each in observations])


class Training:
    """A replay that is fed from a lab, one item after the other."""

    def __init__(self, task: Task, marked_from: int) -> None:
        self.lab, self.said = Lab(), list[str]()
        self.replay = Replay(task, 1, capacity=100)
        self._intake = Intake(self.replay, self.said.append)
        self.episode_id, self.intervention_id = record_episode(
            self.lab, task, 1, steps=STEPS, human=HUMAN, marked_from=marked_from
        )
        self._encoder = Encoder(
            Numbered(task.cameras),
            lambda segment_id, _: self.lab.segments[segment_id],
            task=task,
            one_by_one=True,
        )
        self.read()

    def read(self) -> None:
        for delivery in self._encoder.deliver(self.lab.items[self._intake.cursor :]):
            list(self._intake.take(delivery))

    def decide(self, use: InterventionUse, intervention_id: UUID | None = None) -> None:
        self.lab.put(
            InterventionDecided(
                intervention_id=intervention_id or self.intervention_id,
                episode_id=self.episode_id,
                use=use,
                author="ada",
                t_utc=NOON,
            )
        )
        self.read()

    @property
    def imitated(self) -> list[int]:
        return self._steps_of(self.replay.demonstrated)

    @property
    def trained_on(self) -> list[int]:
        return self._steps_of(self.replay.online)

    def _steps_of(self, rows: IndexSet) -> list[int]:
        found = [row for row in range(self.replay.store.rows) if row in rows]
        return sorted(int(self.replay.store.column("features")[row][0]) for row in found)


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("lift_cube")


def test_a_takeover_without_key_c_is_imitated_once_a_person_says_so(task: Task) -> None:
    """It was worth nothing for cloning, and nobody could say otherwise."""
    training = Training(task, NO_KEY_C)
    assert training.imitated == []
    assert len(training.trained_on) == STEPS
    training.decide(InterventionUse.CORRECTION)
    assert training.imitated == list(HUMAN)
    columns = (SHOWN, IMITATED, DECIDED)
    batch = training.replay.sample(64, np.random.default_rng(0), HalfAndHalf(), columns)
    shown = batch[SHOWN].numpy()
    assert shown[batch.online :].all()
    assert (batch[IMITATED].numpy()[shown] == batch[DECIDED].numpy()[shown]).all()
    assert len(training.trained_on) == STEPS
    assert training.said == []


def test_a_recovery_is_kept_for_reinforcement_learning_only(task: Task) -> None:
    training = Training(task, 0)
    assert training.imitated == list(HUMAN)
    training.decide(InterventionUse.RECOVERY)
    assert (training.imitated, len(training.trained_on)) == ([], STEPS)


def test_what_is_discarded_enters_nothing_until_it_is_taken_back(task: Task) -> None:
    training = Training(task, NO_KEY_C)
    training.decide(InterventionUse.DISCARD)
    others = [index for index in range(STEPS) if index not in HUMAN]
    assert (training.imitated, training.trained_on) == ([], others)
    training.decide(InterventionUse.CORRECTION)
    assert (training.imitated, len(training.trained_on)) == (list(HUMAN), STEPS)


def test_with_key_c_the_correction_is_what_follows_it(task: Task) -> None:
    training = Training(task, 6)
    assert training.imitated == [6, 7]
    training.decide(InterventionUse.DISCARD)
    training.decide(InterventionUse.CORRECTION)
    assert training.imitated == [6, 7]


def test_a_decision_concerns_its_own_takeover(task: Task) -> None:
    training = Training(task, NO_KEY_C)
    episode_id, intervention_id = record_episode(
        training.lab, task, 2, steps=STEPS, human=(2,), marked_from=NO_KEY_C
    )
    training.episode_id = episode_id
    training.read()
    training.decide(InterventionUse.CORRECTION, intervention_id)
    assert training.imitated == [STEPS + 1 + 2]


def test_a_decision_holds_for_steps_that_come_later(task: Task) -> None:
    replay, episode_id, intervention_id = Replay(task, 1, capacity=100), new_id(), new_id()
    replay.start(episode_id)
    replay.decide(intervention_id, InterventionUse.DISCARD)
    steps = 3
    replay.add(
        episode_id,
        0,
        Trajectory.made(
            {
                "features": np.zeros((steps, 1), np.float32),
                "executed": np.zeros((steps, 7), np.float32),
                "human": np.zeros((steps, 7), np.float32),
            }
        ),
        [None, intervention_id, None],
    )
    assert [row in replay.online for row in range(steps)] == [True, False, False]
