"""SiLRI: its losses by hand; it follows a person who is certain, and its critics elsewhere."""

import math

import numpy as np
import pytest
import torch

from robot_rl.config.algorithms.silri import SilriSettings
from robot_rl.learner.algorithms.silri import Silri
from robot_rl.learner.columns import PHASES, SOURCES, Trajectory
from robot_rl.learner.human_model import HumanAction, HumanModel
from robot_rl.learner.replay import CPU, Replay
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from safety.vocabulary import Phase, Source
from tests.learner.algorithms.reaching import empty, practise, success_rate
from tests.learner.algorithms.test_hil_serl import SHAPE as REACHING
from tests.learner.test_critics import SHAPE, answer, batch_of_two, say

ATANH_HALF = math.atanh(0.5)


def made(**changes: float) -> Silri:
    settings = SilriSettings(width=16, critics=3, discount=0.9, gripper_temperature=0.05)
    algorithm = Silri(settings.model_copy(update=changes), Head(SHAPE), 0, CPU)
    answer(algorithm.critics.values, [[0.1], [0.2], [0.6]])
    answer(algorithm.critics.slow_values, [[3.0], [2.0], [5.0]])
    answer(algorithm.critics.grasp, [[0.0, 0.0, 0.0]])
    return algorithm


def test_a_human_model_is_as_unsure_as_its_members_and_their_disagreement() -> None:
    model = HumanModel(SHAPE, members=2, width=16)
    means, stds = (math.atanh(0.2), math.atanh(0.4)), (math.log(0.1), math.log(0.3))
    answer(model.networks, [[means[0], stds[0], 0, 0, 0], [means[1], stds[1], 0, 0, 0]])
    person = model.predict(torch.zeros(1, 2))
    assert person.mean.item() == pytest.approx(0.3, abs=1e-6)
    # mean of 0.01 and 0.09, and the variance of 0.2 and 0.4
    assert person.std.item() == pytest.approx(math.sqrt(0.05 + 0.01), abs=1e-6)
    assert person.grippers[0, 0].tolist() == pytest.approx([1 / 3] * 3)


def test_its_loss_is_the_likelihood_of_what_the_person_did() -> None:
    model = HumanModel(SHAPE, members=1, width=16)
    answer(model.networks, [[ATANH_HALF, math.log(0.2), 0.0, math.log(2.0), 0.0]])
    action = torch.tensor([[0.7, 0.0, 0.0], [0.5, 0.0, 1.0]])  # stay, then open
    constant = math.log(0.2) + 0.5 * math.log(2 * math.pi)
    first = 0.5 * (0.2 / 0.2) ** 2 + constant - math.log(0.5)
    second = constant - math.log(0.25)
    loss = model.loss(torch.zeros(2, 2), action)
    assert loss.item() == pytest.approx((first + second) / 2, abs=1e-5)


def test_the_bound_is_the_persons_uncertainty() -> None:
    algorithm = made(tolerance=0.05)
    say(algorithm.head, ATANH_HALF, -2.0, [0.0, 0.0, 0.0])
    person = HumanAction(
        mean=torch.tensor([[-0.3], [0.5]]),
        std=torch.tensor([[0.2], [0.4]]),
        grippers=torch.full((2, 1, 3), 1 / 3),
    )
    excess = algorithm.excess(algorithm.head(torch.zeros(2, 2)), person)
    assert excess.tolist() == pytest.approx([0.64 - 0.2 - 0.05, -0.4 - 0.05])


def test_the_actor_weighs_value_and_person_state_by_state() -> None:
    algorithm = made()
    say(algorithm.head, ATANH_HALF, -2.0, [0.0, 0.0, 0.0])
    person = HumanAction(
        mean=torch.tensor([[-0.3], [0.5]]),
        std=torch.zeros(2, 1),
        grippers=torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 0.5, 0.5]]]),
    )
    features = torch.zeros(2, 2)
    output, multiplier = algorithm.head(features), torch.tensor([3.0, 0.0])
    loss = algorithm.actor_loss(features, output, person, multiplier)
    improve = -0.1 + math.log(3)  # least value; all choices are worth the same, and as likely
    certain = (improve + 3 * (0.64 + math.log(3))) / 4
    assert loss.item() == pytest.approx((certain + improve) / 2, abs=1e-5)
    alone = algorithm.actor_loss(features, output, None, multiplier)
    assert alone.item() == pytest.approx(improve, abs=1e-5)


def test_the_target_is_that_of_the_slow_policy() -> None:
    target = made().target(batch_of_two())
    assert target.tolist() == pytest.approx([0.9 * 2.0, 1.0])


def one_step(
    data: Replay, rng: np.random.Generator, state: int, action: float, *, human: bool
) -> None:
    """An episode of one step in one of two states; the nearer to −0.5, the likelier its success."""
    good = rng.random() < math.exp(-2 * (action + 0.5) ** 2)
    features = np.zeros((2, 3), np.float32)
    features[:, state] = 1.0
    executed = np.full((2, 7), np.nan, np.float32)
    executed[0] = [action, 0, 0, 0, 0, 0, 0]
    person = np.full((2, 7), np.nan, np.float32)
    if human:
        person[0] = executed[0]
    source = SOURCES.index(Source.HUMAN if human else Source.POLICY)
    given = {
        "features": features,
        "executed": executed,
        "human": person,
        "source": np.array([source, SOURCES.index(Source.POLICY)]),
        "phase": np.full(2, PHASES.index(Phase.CORRECTION)),
        "terminated": np.array([True, False]),
    }
    episode_id = new_id()
    data.start(episode_id)
    data.add(episode_id, 0, Trajectory.made(given), [None] * 2)
    data.end(episode_id, Outcome.SUCCESS if good else Outcome.FAILURE, 1)


def test_it_follows_who_is_certain_and_the_value_elsewhere(seed: int) -> None:
    """The best action is −0.5. In one state people always do +0.5, in the other one thing or its
    contrary.
    """
    shape = HeadSettings(features=3, size=7, axes=(0,), gripper_columns=(), width=32)
    settings = SilriSettings(
        batch=64,
        width=32,
        learning_rate=1e-3,
        multiplier_learning_rate=1e-3,
        critic_warmup_updates=300,
        tolerance=0.0,
    )
    data, rng = empty(settings), np.random.default_rng(seed)
    for number in range(200):
        one_step(data, rng, 0, float(rng.normal(0.5, 0.02)), human=True)
        one_step(data, rng, 1, 0.8 if number % 2 else -0.8, human=True)
        for state in (0, 1):
            one_step(data, rng, state, float(rng.uniform(-1, 1)), human=False)
    torch.manual_seed(seed % 1000)
    algorithm = Silri(settings, Head(shape), seed % 1000, CPU)
    for _ in range(1500):
        algorithm.update(data, rng)
    states = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    certain, torn = torch.tanh(algorithm.head(states).mean)[:, 0].tolist()
    weight = algorithm.multiplier(states).tolist()
    print(f"certain {certain:.2f} with λ {weight[0]:.2f}, torn {torn:.2f} with λ {weight[1]:.2f}")
    assert certain > 0.1
    assert torn == pytest.approx(-0.5, abs=0.25)
    assert weight[0] > 2 * weight[1]


def test_it_learns_to_reach_with_a_little_help(seed: int) -> None:
    settings = SilriSettings(batch=32, width=32, learning_rate=1e-3, critic_warmup_updates=300)
    data = empty(settings)
    torch.manual_seed(seed % 1000)
    algorithm = Silri(settings, Head(REACHING), seed % 1000, CPU)
    before = success_rate(algorithm.head, seed)
    practise(algorithm, data, seed, episodes=50, helps=0.25)
    after = success_rate(algorithm.head, seed)
    print(f"success {before:.2f} → {after:.2f}")
    assert before < 0.3
    assert after >= 0.8
