"""What a policy tries: noise with the stated correlation, and orders of the gripper that last."""

import numpy as np
import pytest

from robot_rl.config.exploration import Exploration
from robot_rl.policy.explorer import Explorer

CHOICES = 3


def run(explorer: Explorer, steps: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([explorer.noise(rng, 2) for _ in range(steps)])


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_noise_has_the_stated_correlation_and_keeps_its_size(share: float) -> None:
    noise = run(Explorer(Exploration(noise_correlation=share)), 40_000)
    assert noise.std(0) == pytest.approx([1.0, 1.0], abs=0.06)
    found = [np.corrcoef(noise[:-1, i], noise[1:, i])[0, 1] for i in range(2)]
    assert found == pytest.approx([share, share], abs=0.03)


def test_without_correlation_the_draws_are_those_of_the_generator() -> None:
    """What was recorded before there was an explorer can be repeated."""
    rng = np.random.default_rng(4)
    expected = np.array([rng.standard_normal(2) for _ in range(5)])
    np.testing.assert_array_equal(run(Explorer(), 5, seed=4), expected)


def test_an_episode_begins_anew() -> None:
    explorer = Explorer(Exploration(noise_correlation=0.9, gripper_probability=0.5))
    first = run(explorer, 4)
    explorer.reset()
    np.testing.assert_array_equal(run(explorer, 4), first)


def test_a_gripper_keeps_to_what_it_tries() -> None:
    settings = Exploration(gripper_probability=0.05, gripper_steps=4)
    explorer, rng = Explorer(settings), np.random.default_rng(1)
    chosen = [explorer.choices(rng, [1], CHOICES)[0] for _ in range(4000)]
    changes = [i for i in range(1, len(chosen)) if chosen[i] != chosen[i - 1]]
    others = [i for i, choice in enumerate(chosen) if choice != 1]
    # 5 % of the free steps begin a trial of 4 steps, of which two thirds are of another order.
    assert len(others) / len(chosen) == pytest.approx(0.2 / 1.15 * 2 / 3, rel=0.3)
    runs = np.split(np.array(chosen), changes)
    assert all(len(each) % 4 == 0 for each in runs if each[0] != 1)


def test_a_gripper_that_may_not_try_draws_nothing() -> None:
    rng = np.random.default_rng(2)
    before = rng.bit_generator.state
    assert Explorer().choices(rng, [2, 0], CHOICES) == [2, 0]
    assert rng.bit_generator.state == before
