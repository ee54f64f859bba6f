"""Behaviour cloning imitates demonstrations, and no correction."""

import numpy as np
import pytest
import torch

from robot_rl.config.algorithms.bc import BcSettings
from robot_rl.config.document import load_task
from robot_rl.config.task import Task
from robot_rl.learner.algorithms.bc import Bc
from robot_rl.learner.replay import CPU, Replay
from robot_rl.policy.head import Head
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from tests.learner.algorithms.reaching import FEATURE_COUNT, demonstrate, empty, success_rate
from tests.learner.algorithms.test_hil_serl import SHAPE
from tests.learner.test_replay import SIZE, feed, piece

FAST = BcSettings(batch=32, width=32, learning_rate=1e-3, offline_updates=400)
DEMONSTRATED = tuple(range(8))


@pytest.fixture
def task() -> Task:
    return load_task("lift_cube").model_copy(update={"learner": FAST})


def made(seed: int, features: int) -> Bc:
    torch.manual_seed(seed)
    return Bc(FAST, Head(SHAPE.model_copy(update={"features": features})), seed, CPU)


def test_it_learns_demonstrations_as_they_come_and_never_a_correction(task: Task) -> None:
    algorithm, rng = made(0, SIZE), np.random.default_rng(0)
    data = Replay(task, SIZE, capacity=100)
    corrected, shown = new_id(), new_id()
    feed(data, corrected, 0, piece(1, 0, 9, last=True, human=DEMONSTRATED))
    data.end(corrected, Outcome.SUCCESS, 8)
    assert len(data.demonstrated) == 8
    assert algorithm.update(data, rng) == {}, "a correction is no demonstration"
    data.start(shown, demonstration=True)
    feed(data, shown, 0, piece(2, 0, 9, last=True, human=DEMONSTRATED))
    assert algorithm.update(data, rng) == {}, "nobody knows yet how it ended"
    data.end(shown, Outcome.SUCCESS, 8)
    losses = [algorithm.update(data, rng)["clone"] for _ in range(200)]
    assert losses[-1] < 0.1 * losses[0]
    rows, online = algorithm.sampler.draw(data, 64, rng)
    assert online == 0
    assert set(data.store.column("features")[rows][:, 0].tolist()) == {2.0}
    assert (algorithm.counts.updates, algorithm.counts.actor) == (202, 200)
    data.relabel(shown, Outcome.FAILURE)
    assert algorithm.update(data, rng) == {}


def test_offline_is_as_long_as_said_and_is_no_update_of_the_session(task: Task) -> None:
    algorithm, rng = made(0, SIZE), np.random.default_rng(0)
    assert list(algorithm.offline(Replay(task, SIZE, capacity=10), rng)) == []
    data = Replay(task, SIZE, [piece(1, 0, 9, last=True, human=DEMONSTRATED)], capacity=10)
    stage = algorithm.offline(data, rng)
    for _ in range(100):
        next(stage)
    assert len(list(algorithm.offline(data, rng))) == 300, "it goes on where it stopped"
    assert (algorithm.counts.updates, algorithm.counts.actor) == (0, 400)


def test_it_learns_to_reach_from_demonstrations(seed: int) -> None:
    seed %= 1000
    algorithm, data = made(seed, FEATURE_COUNT), empty(FAST)
    demonstrate(data, seed, episodes=20)
    before = success_rate(algorithm.head, seed)
    for _ in algorithm.offline(data, np.random.default_rng(seed)):
        pass
    after = success_rate(algorithm.head, seed)
    print(f"success {before:.2f} → {after:.2f}")
    assert before < 0.3
    assert after >= 0.8
