"""HG-DAgger imitates people, and only people; the training loop runs it as it runs any other."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rl.config.algorithms.hg_dagger import HgDaggerSettings
from robot_rl.config.document import load_task
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.errors import PlainError
from robot_rl.learner.algorithms.hg_dagger import HgDagger
from robot_rl.learner.derived import FEATURES, IMITATED
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.learner import Learner
from robot_rl.learner.losses import clone_loss
from robot_rl.learner.replay import CPU, Replay
from robot_rl.learner.settings import LearnerSettings
from robot_rl.policy.head import Head
from robot_rl.policy.starting import shapes, write_untrained
from tests.learner.lab import Lab, record_episode
from tests.learner.test_replay import piece

FAST = HgDaggerSettings(batch=16, width=16, learning_rate=1e-3, start_steps=4)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("start")
    task = load_task("lift_cube").model_copy(
        update={"learner": FAST, "policy": StartingPolicy(folder=str(folder))}
    )
    write_untrained(folder, task, seed=1)
    return task


def session(lab: Lab, task: Task, data: Path) -> Learner:
    """A lock-step learner until it has entered all that the lab holds."""
    stop, last = threading.Event(), len(lab.items)
    lab.seen = lambda progress: stop.set() if progress.feed_cursor >= last else None
    client = ServerClient("http://lab", "secret", stop, say=print, transport=lab.transport())
    settings = LearnerSettings(
        task=task,
        server_url="http://lab",
        token="secret",
        data_folder=data,
        lockstep=True,
    )
    learner = Learner(settings, client, stop)
    learner.run()
    return learner


def test_the_loop_runs_it_and_it_learns_what_the_person_did(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    for seed in range(6):
        record_episode(lab, task, seed, steps=20, human=tuple(range(5, 15)))
    learner = session(lab, task, tmp_path)
    counts = learner.algorithm.counts
    assert (counts.updates, counts.critic) == (2 * (6 * 20 - 4), 0)
    assert 0 < counts.actor < counts.updates, "nothing to imitate before the first correction"
    updates = [manifest.update for manifest, _, _ in lab.policies if manifest.update]
    assert {manifest.algorithm for manifest, _, _ in lab.policies[1:]} == {"hg_dagger"}
    told = [each for update in updates for each in update.new_interventions]
    assert len(told) == 5, "the sixth ended with the feed"
    assert sum(update.batch_online for update in updates) == 0
    first, last = updates[0].losses["clone"], updates[-1].losses["clone"]
    assert last < first, "it comes closer to what the person did"


def test_it_goes_on_bit_for_bit_and_says_whose_state_it_was_given(
    task: Task, tmp_path: Path
) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=12, human=(3, 4, 5))
    session(lab, task, tmp_path / "two")
    record_episode(lab, task, 2, steps=12, human=(3, 4, 5))
    broken = session(lab, task, tmp_path / "two").algorithm.state()
    unbroken = session(lab, task, tmp_path / "one").algorithm.state()
    assert all(torch.equal(unbroken[name], broken[name]) for name in unbroken)
    other = task.model_copy(update={"learner": load_task("lift_cube").learner})
    with pytest.raises(PlainError, match="trained with hg_dagger and the task file names hil_serl"):
        session(lab, other, tmp_path / "one")


def test_what_comes_later_is_no_reason_to_begin_offline(task: Task, tmp_path: Path) -> None:
    """A starting policy without demonstrations, and a restart after the first corrections."""
    settings = FAST.model_copy(update={"offline_updates": 500})
    task = task.model_copy(update={"learner": settings})
    lab = Lab()
    for seed, until in ((1, 12), (2, 24)):
        record_episode(lab, task, seed, steps=12, human=(3, 4, 5))
        counts = session(lab, task, tmp_path).algorithm.counts
        assert counts.updates == 2 * (until - 4)


def test_offline_it_learns_the_demonstrations_and_goes_on_where_it_stopped(task: Task) -> None:
    settings = FAST.model_copy(update={"offline_updates": 30})
    _, shape = shapes(task)
    head = Head(shape.model_copy(update={"features": 2}))
    algorithm = HgDagger(settings, head, 0, CPU)

    empty = Replay(task, 2, capacity=10)
    assert list(algorithm.offline(empty, np.random.default_rng(0))) == []
    shown = piece(1, 0, 9, last=True, human=tuple(range(8)))
    data, rng = Replay(task, 2, [shown], capacity=10), np.random.default_rng(0)
    batch = data.sample(64, rng, algorithm.sampler, algorithm.columns)
    features, shown_actions = batch[FEATURES], batch[IMITATED]
    before = clone_loss(head, features, shown_actions).mean().item()
    losses = algorithm.offline(data, rng)
    for _ in range(10):
        next(losses)
    assert len(list(algorithm.offline(data, rng))) == 20
    assert clone_loss(head, features, shown_actions).mean().item() < before
