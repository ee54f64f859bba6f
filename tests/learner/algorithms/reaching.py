"""The reaching world of test_hil_serl for every algorithm: demonstrations, a start cloned from
them, and episodes in which an operator may help.
"""

from typing import Protocol

import numpy as np
import torch

from robot_rl.config.document import load_task
from robot_rl.config.learner import LearnerSection
from robot_rl.learner.derived import FEATURES, IMITATED
from robot_rl.learner.losses import clone_loss
from robot_rl.learner.replay import Replay
from robot_rl.learner.samplers import Demonstrated
from robot_rl.policy.consistency_head import ConsistencyHead
from robot_rl.policy.head import GRIPPER_VALUES, Head
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.residual_head import ResidualHead
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from tests.learner.algorithms.test_hil_serl import HORIZON, SHAPE, Reach, Vector, add
from tests.learner.algorithms.test_hil_serl import choose as choose_gaussian

FEATURE_COUNT = SHAPE.features


class Learning(Protocol):
    @property
    def head(self) -> AnyHead: ...

    def update(self, data: Replay, rng: np.random.Generator) -> object: ...


def choose(head: AnyHead, features: Vector, rng: np.random.Generator | None) -> Vector:
    """With noise where a generator is given."""
    if isinstance(head, Head):
        return choose_gaussian(head, features, rng)
    if isinstance(head, ResidualHead):
        return choose_corrected(head, features, rng)
    assert isinstance(head, ConsistencyHead)
    noise = torch.zeros(1, 2)
    if rng is not None:
        noise = torch.from_numpy(rng.standard_normal((1, 2), np.float32))
    with torch.inference_mode():
        seen = torch.from_numpy(features)[None]
        move, grip = head.draw(seen, noise)[0].numpy(), head.grippers(seen)[0, 0].argmax()
    return np.array([*move, 0, 0, 0, 0, GRIPPER_VALUES[int(grip)]])


def choose_corrected(
    head: ResidualHead, features: Vector, rng: np.random.Generator | None
) -> Vector:
    with torch.inference_mode():
        seen = torch.from_numpy(features)[None]
        output = head(seen)
        raw = output.mean
        if rng is not None:
            raw = raw + output.log_std.exp() * torch.from_numpy(rng.standard_normal(2)).float()
        move = head.corrected(seen, torch.tanh(raw))[0].numpy()
    grip = GRIPPER_VALUES[int(output.grippers[0, 0].argmax())]
    return np.array([*move, 0, 0, 0, 0, grip])


def success_rate(head: AnyHead, seed: int, episodes: int = 40) -> float:
    rng, won = np.random.default_rng(seed), 0
    for _ in range(episodes):
        world = Reach(rng)
        won += any(world.act(choose(head, world.features(), None)) for _ in range(HORIZON))
    return won / episodes


def empty(
    settings: LearnerSection, capacity: int = 20_000, features: int = FEATURE_COUNT
) -> Replay:
    task = load_task("lift_cube").model_copy(update={"learner": settings})
    return Replay(task, features, capacity=capacity)


def demonstrate(data: Replay, seed: int, episodes: int) -> None:
    """A person shows how it is done."""
    rng = np.random.default_rng(seed)
    for _ in range(episodes):
        world, episode_id = Reach(rng), new_id()
        data.start(episode_id, demonstration=True)
        for index in range(HORIZON):
            seen, action = world.features(), world.expert()
            done = world.act(action)
            add(data, episode_id, index, seen, action, True, done, index == HORIZON - 1)
            if done:
                add(data, episode_id, index + 1, world.features(), None, False, False, False)
                data.end(episode_id, Outcome.SUCCESS, index + 1)
                break


def cloned(data: Replay, seed: int, updates: int) -> Head:
    """A start that has seen the demonstrations, and does not know them well yet."""
    torch.manual_seed(seed)
    head, rng = Head(SHAPE), np.random.default_rng(seed)
    optimizer = torch.optim.Adam(head.parameters(), 1e-3)
    for _ in range(updates):
        batch = data.sample(32, rng, Demonstrated(), (FEATURES, IMITATED))
        loss = clone_loss(head, batch[FEATURES], batch[IMITATED]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head


def practise(
    algorithm: Learning, data: Replay, seed: int, episodes: int, helps: float = 0.0
) -> None:
    """The policy acts, with noise, and learns after every step; `helps`: how often a person drives
    a whole episode, as a correction.
    """
    rng = np.random.default_rng(seed)
    for _ in range(episodes):
        world, episode_id, helped = Reach(rng), new_id(), rng.random() < helps
        data.start(episode_id)
        for index in range(HORIZON):
            seen = world.features()
            action = world.expert() if helped else choose(algorithm.head, seen, rng)
            done = world.act(action)
            last = index == HORIZON - 1
            add(data, episode_id, index, seen, action, helped, done, last)
            algorithm.update(data, rng)
            if done or last:
                add(data, episode_id, index + 1, world.features(), None, False, False, False)
                data.end(episode_id, Outcome.SUCCESS if done else Outcome.FAILURE, index + 1)
                break
