"""RLPD: its target and its loss by hand, and a point that learns to reach with nobody helping."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from robot_rl.config.algorithms.rlpd import RlpdSettings
from robot_rl.learner.algorithms.rlpd import Rlpd
from robot_rl.learner.derived import FEATURES
from robot_rl.learner.replay import CPU
from robot_rl.policy.head import Head
from tests.learner.algorithms.reaching import cloned, demonstrate, empty, practise, success_rate
from tests.learner.algorithms.test_hil_serl import SHAPE as REACHING
from tests.learner.test_critics import SHAPE, answer, batch_of_two, say

MEAN, LOG_STD, ALPHA = 0.3, -2.0, 0.5


def by_hand(z: float) -> float:
    """log π of tanh(u), u = 0.3 + e⁻²·z."""
    squashed = math.tanh(MEAN + math.exp(LOG_STD) * z)
    gaussian = -0.5 * z * z - LOG_STD - 0.5 * math.log(2 * math.pi)
    return gaussian - math.log(1 - squashed * squashed)


def drawn(count: int) -> list[float]:
    return torch.randn(count, 1, generator=torch.Generator().manual_seed(1))[:, 0].tolist()


def made(**changes: float) -> Rlpd:
    settings = RlpdSettings(
        critics=3, critic_subsample=3, width=16, discount=0.9, initial_temperature=ALPHA
    ).model_copy(update=changes)
    algorithm = Rlpd(settings, Head(SHAPE), 0, CPU)
    say(algorithm.head, MEAN, LOG_STD, [0.0, 2.0, 0.0])
    answer(algorithm.critics.values, [[0.1], [0.2], [0.6]])
    answer(algorithm.critics.slow_values, [[3.0], [2.0], [5.0]])
    answer(algorithm.critics.grasp, [[0.0, 0.05, 0.0]])
    algorithm.rng.manual_seed(1)
    return algorithm


def test_the_target_is_the_least_value_and_by_choice_the_entropy() -> None:
    assert made().target(batch_of_two()).tolist() == pytest.approx([0.9 * 2.0, 1.0])
    entropy = [-ALPHA * by_hand(z) for z in drawn(2)]
    soft = made(backup_entropy=True).target(batch_of_two())
    assert soft.tolist() == pytest.approx([0.9 * (2.0 + entropy[0]), 1.0], abs=1e-5)


def test_a_target_is_not_less_than_what_was_reached() -> None:
    """0.9 · 2 where the critics promise more than the episode gave, and the other way round."""
    for reached, wanted in ((0.5, 1.8), (2.5, 2.5)):
        algorithm = made(return_floor=True)
        two, returns = batch_of_two(), torch.tensor([reached, 1.0])
        assert algorithm.floor is not None
        batch = replace(two, columns={**two.columns, algorithm.floor: returns})
        assert algorithm.target(batch).tolist() == pytest.approx([wanted, 1.0])


def test_the_target_entropy_is_of_every_axis() -> None:
    axes = len(SHAPE.axes)
    assert made().temperature.target_entropy == pytest.approx(-0.5 * axes)
    assert made(target_entropy=-1.5).temperature.target_entropy == pytest.approx(-1.5 * axes)


def test_the_actor_weighs_entropy_against_the_mean_value() -> None:
    algorithm = made(gripper_temperature=0.05)
    say(algorithm.start, 0.0, 0.0, [3.0, 0.0, 0.0])
    improve, grip, log_probability = algorithm.actor_loss(batch_of_two()[FEATURES])
    expected = [by_hand(z) for z in drawn(2)]
    assert log_probability.tolist() == pytest.approx(expected, abs=1e-5)
    assert improve.item() == pytest.approx(ALPHA * sum(expected) / 2 - 0.3, abs=1e-5)
    policy, wanted = math.e**2 / (2 + math.e**2), math.e / (math.e**3 + math.e + 1)
    other = (1 - policy) / 2
    by_choice = -wanted * math.log(policy) - (1 - wanted) * math.log(other)
    assert grip.item() == pytest.approx(by_choice, abs=1e-5)


def test_the_actor_waits_for_the_critics_and_comes_less_often(seed: int) -> None:
    settings = RlpdSettings(
        batch=16, width=16, critics=2, critic_warmup_updates=6, critic_to_actor=3
    )
    data = empty(settings, capacity=100)
    algorithm, rng = Rlpd(settings, Head(REACHING), 0, CPU), np.random.default_rng(seed)
    assert algorithm.update(data, rng) == {}
    demonstrate(data, seed, episodes=2)
    steps = [algorithm.update(data, rng) for _ in range(12)]
    assert [number for number, losses in enumerate(steps, 1) if "actor" in losses] == [6, 9, 12]
    counts = algorithm.counts
    assert (counts.updates, counts.critic, counts.actor) == (13, 12, 3)


def test_a_state_from_before_the_start_was_kept_is_gone_on_from(seed: int) -> None:
    settings = RlpdSettings(batch=16, width=16, critics=2, critic_warmup_updates=2)
    data, rng = empty(settings, capacity=100), np.random.default_rng(seed)
    demonstrate(data, seed, episodes=2)
    whole, again = (Rlpd(settings, Head(REACHING), each, CPU) for each in (0, 1))
    for _ in range(4):
        whole.update(data, rng)
    older = {key: value for key, value in whole.state().items() if "start." not in key}
    begun = {key: value.clone() for key, value in again.start.state_dict().items()}
    again.load_state(older)
    kept = again.state()
    assert all(torch.equal(value, kept[key]) for key, value in older.items())
    start = again.start.state_dict()
    assert all(torch.equal(value, start[key]) for key, value in begun.items())
    short = {key: value for key, value in whole.state().items() if "start.mean" not in key}
    with pytest.raises(RuntimeError, match=r"start\.mean"):
        again.load_state(short)


def test_a_subset_larger_than_the_ensemble_is_refused() -> None:
    with pytest.raises(ValidationError, match="critic_subsample = 3 is more than critics = 2"):
        RlpdSettings(critics=2, critic_subsample=3)


def session(seed: int, warm_up: int) -> tuple[float, float]:
    """Success of the start, and the mean of that after 60, 80 and 100 episodes alone: a policy
    that explores has its ups and downs.
    """
    settings = RlpdSettings(
        batch=32, width=32, critics=4, learning_rate=1e-3, critic_warmup_updates=warm_up
    )
    data = empty(settings)
    demonstrate(data, seed, episodes=3)
    algorithm = Rlpd(settings, cloned(data, seed, updates=60), seed, CPU)
    before, after = success_rate(algorithm.head, seed), []
    for part in range(5):
        practise(algorithm, data, seed + part, episodes=20)
        after.append(success_rate(algorithm.head, seed))
    return before, sum(after[2:]) / 3


@pytest.mark.slow
@pytest.mark.beside
def test_it_learns_to_reach_with_nobody_helping(seed: int) -> None:
    before, after = np.mean([session(seed % 1000 + each, 600) for each in range(3)], axis=0)
    print(f"success {before:.2f} → {after:.2f}")
    assert after >= before + 0.25


def test_without_its_actor_it_stays_what_it_was(seed: int) -> None:
    """Positive control of the test above."""
    before, after = session(seed % 1000, 10**6)
    assert before == pytest.approx(after)
