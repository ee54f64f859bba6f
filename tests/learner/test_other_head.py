"""An algorithm that trains a head of its own: what is published first, what the robot gets, what is
refused, and that it goes on where it stopped.
"""

import threading
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from robot_rl.config.algorithms.conrft import ConrftSettings
from robot_rl.config.document import load_task
from robot_rl.config.fitness import FitnessSection
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.errors import PlainError
from robot_rl.learner.algorithm import Algorithm
from robot_rl.learner.algorithms.conrft import Conrft
from robot_rl.learner.columns import HUMAN, Trajectory
from robot_rl.learner.demonstrations import encode_trajectories
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.fitness import Fitness
from robot_rl.learner.learner import Learner
from robot_rl.learner.replay import CPU
from robot_rl.learner.settings import LearnerSettings
from robot_rl.policy.checkpoint import load_policy, write_checkpoint, write_head_on
from robot_rl.policy.consistency_head import ConsistencyHead
from robot_rl.policy.head import Head
from robot_rl.policy.keypoint_cnn import KeypointNet
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.starting import shapes, write_untrained
from robot_rl.policy.weights import decode_head, sha256_of_net
from tests.learner.algorithms.reaching import cloned, demonstrate, empty
from tests.learner.lab import Lab, record_episode

OFFLINE = 30
FAST = ConrftSettings(
    batch=16,
    width=16,
    learning_rate=1e-3,
    start_steps=4,
    offline_updates=OFFLINE,
    publish_every_steps=5,
    replay_steps=1000,
)


def task_in(folder: Path) -> Task:
    update = {"learner": FAST, "policy": StartingPolicy(folder=str(folder))}
    return load_task("lift_cube").model_copy(update=update)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Its starting policy is a Gaussian, and came with a demonstration."""
    task, rng = task_in(tmp_path / "start"), np.random.default_rng(0)
    backbone, shape = shapes(task)
    torch.manual_seed(1)
    net = KeypointNet(backbone)
    action = rng.uniform(-1, 1, (12, 7)).astype(np.float32)
    action[:, 3:6], action[:, 6], action[-1] = 0.0, 1.0, np.nan
    shown = Trajectory.made(
        {
            "features": rng.normal(size=(12, backbone.size)).astype(np.float32),
            "executed": action,
            "human": action,
            "source": np.full(12, HUMAN),
        }
    )
    demonstrations = encode_trajectories(
        [shown], task=task.name, backbone_sha256=sha256_of_net(net)
    )
    write_checkpoint(
        tmp_path / "start",
        net=net,
        head=Head(shape),
        task=task.name,
        instruction=task.instruction,
        algorithm="behaviour_cloning",
        demonstrations=demonstrations,
    )
    return task


def session(lab: Lab, task: Task, data: Path) -> Learner:
    """A lock-step learner until it has entered all that the lab holds."""
    stop, last = threading.Event(), len(lab.items)
    lab.seen = lambda progress: stop.set() if progress.feed_cursor >= last else None
    client = ServerClient("http://lab", "secret", stop, say=print, transport=lab.transport())
    settings = LearnerSettings(
        task=task, server_url="http://lab", token="secret", data_folder=data, lockstep=True
    )
    learner = Learner(settings, client, stop)
    learner.run()
    return learner


def test_the_start_is_published_as_it_is_and_then_the_other_kind(
    task: Task, tmp_path: Path
) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=20, human=(5, 6, 7))
    learner = session(lab, task, tmp_path / "learner")
    start = load_policy(tmp_path / "start")
    first, *later = [
        (manifest, decode_head(data, start.backbone)) for manifest, data, _ in lab.policies
    ]
    assert first[0].head.kind == "head"
    assert first[0].algorithm == "behaviour_cloning"
    state = first[1].state_dict()
    assert all(torch.equal(value, state[key]) for key, value in start.head.state_dict().items())
    assert {manifest.head.kind for manifest, _ in later} == {"consistency_head"}
    assert {manifest.algorithm for manifest, _ in later} == {"conrft"}
    assert all(isinstance(head, ConsistencyHead) for _, head in later)
    offline = later[0][0].update
    assert offline is not None
    assert (offline.env_steps, offline.critic_updates) == (0, OFFLINE), "after its offline stage"
    counts = learner.algorithm.counts
    assert (counts.updates, counts.critic) == (2 * 16, OFFLINE + 2 * 16)


def test_it_goes_on_where_it_stopped_without_its_offline_stage(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=12, human=(3, 4, 5))
    session(lab, task, tmp_path / "two")
    record_episode(lab, task, 2, steps=12, human=(3, 4, 5))
    broken = session(lab, task, tmp_path / "two").algorithm
    unbroken = session(lab, task, tmp_path / "one").algorithm
    assert broken.counts == unbroken.counts
    state = broken.state()
    assert all(torch.equal(value, state[key]) for key, value in unbroken.state().items())


def test_what_it_makes_is_compared_with_the_start_also_after_a_restart() -> None:
    data = empty(FAST)
    demonstrate(data, 1, episodes=8)
    start = cloned(data, 2, updates=300)
    algorithm = Conrft(FAST, start, 0, CPU)

    def judge() -> Fitness:
        return Fitness(FitnessSection(), cast("Algorithm", algorithm), data, 1.0, start)

    fitness, again = judge(), judge()
    fitness.published(start)
    again.load_state(fitness.state())
    with torch.no_grad():
        algorithm.head.denoised.weight.zero_()
        algorithm.head.denoised.bias.fill_(0.2)
    assert fitness.refusal() == "its action is the same in all recorded states"
    assert again.refusal() == fitness.refusal()
    again.published()
    later = judge()
    later.load_state(again.state())
    assert later.refusal() == "", "it is the parent now"


def test_without_demonstrations_it_is_refused_in_a_sentence(tmp_path: Path) -> None:
    task = task_in(tmp_path)
    write_untrained(tmp_path, task, seed=1)
    lab = Lab()
    record_episode(lab, task, 1)
    with pytest.raises(BadCheckpoint, match=r"came with none: make one with `robot-rl clone`"):
        session(lab, task, tmp_path / "learner")


def test_a_folder_whose_head_does_not_fit_is_refused_in_a_sentence(
    task: Task, tmp_path: Path
) -> None:
    manifest = write_untrained(tmp_path / "other", task, seed=1)
    _, shape = shapes(task)
    write_head_on(
        tmp_path / "other",
        backbone=manifest.backbone,
        head=ConsistencyHead(shape.model_copy(update={"kind": "consistency"})),
        task=task.name,
        instruction=task.instruction,
        algorithm="conrft",
    )
    plain = load_task("lift_cube").learner
    start = StartingPolicy(folder=str(tmp_path / "other"))
    task = task.model_copy(update={"learner": plain, "policy": start})
    with pytest.raises(PlainError, match="has a consistency head and hil_serl trains a gaussian"):
        session(Lab(), task, tmp_path / "learner")
