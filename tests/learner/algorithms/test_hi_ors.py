"""Hi-ORS: what is accepted and what is not, its loss by hand, and that rejecting teaches."""

import math

import numpy as np
import pytest
import torch

from robot_rl.config.algorithms.hi_ors import HiOrsSettings
from robot_rl.learner.algorithms.hi_ors import HiOrs
from robot_rl.learner.replay import CPU, Replay
from robot_rl.learner.samplers import Sampler, Uniform
from robot_rl.policy.head import Head
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from tests.learner.algorithms.reaching import cloned, demonstrate, empty, practise, success_rate
from tests.learner.algorithms.test_hil_serl import SHAPE
from tests.learner.test_critics import say
from tests.learner.test_replay import SIZE, feed, piece

FAST = HiOrsSettings(batch=32, width=32, learning_rate=1e-3)
TWO = SHAPE.model_copy(update={"features": SIZE})


def accepted(algorithm: HiOrs, data: Replay) -> dict[tuple[float, float], float]:
    """(episode, record) → share of a large batch."""
    rows, _ = algorithm.sampler.draw(data, 4000, np.random.default_rng(0))
    marks = [(float(mark[0]), float(mark[1])) for mark in data.store.column("features")[rows]]
    return {mark: marks.count(mark) / len(marks) for mark in set(marks)}


def test_whole_successes_and_corrections_in_any_episode_are_accepted() -> None:
    algorithm, rng = HiOrs(FAST, Head(TWO), 0, CPU), np.random.default_rng(0)
    data, (good, bad) = empty(FAST, capacity=100, features=SIZE), (new_id(), new_id())
    feed(data, good, 0, piece(1, 0, 5, last=True))
    feed(data, bad, 0, piece(2, 0, 5, last=True, human=(1, 2)))
    assert {mark for mark, _ in accepted(algorithm, data)} == {2.0}, "outcomes are not known yet"
    data.end(good, Outcome.SUCCESS, 4)
    data.end(bad, Outcome.FAILURE, 4)
    shares = accepted(algorithm, data)
    assert shares.keys() == {(1.0, float(index)) for index in range(4)} | {(2.0, 1.0), (2.0, 2.0)}
    assert sum(share for mark, share in shares.items() if mark[0] == 2.0) == 0.5
    assert "accepted" in algorithm.update(data, rng)
    data.relabel(good, Outcome.FAILURE)
    assert accepted(algorithm, data).keys() == {(2.0, 1.0), (2.0, 2.0)}
    data.exclude(bad, True)
    assert algorithm.update(data, rng) == {}
    assert (algorithm.counts.updates, algorithm.counts.actor) == (2, 1)


def test_its_loss_is_the_distance_to_what_was_executed() -> None:
    shape = TWO.model_copy(update={"axes": (0,), "width": 16})
    algorithm, rng = HiOrs(FAST, Head(shape), 0, CPU), np.random.default_rng(0)
    say(algorithm.head, math.atanh(0.5), -2.0, [0.0, math.log(2.0), 0.0])
    data, one = empty(FAST, capacity=100, features=SIZE), new_id()
    feed(data, one, 0, piece(1, 0, 2, last=True, gripper={0: -1.0}))
    data.end(one, Outcome.SUCCESS, 1)
    # one step, driven by the policy: 0 along its axis, and closing, which has probability 1/4
    assert algorithm.update(data, rng)["accepted"] == pytest.approx(0.25 + math.log(4), abs=1e-5)


def session(seed: int, sampler: Sampler | None = None) -> tuple[float, float]:
    data = empty(FAST)
    demonstrate(data, seed, episodes=3)
    algorithm = HiOrs(FAST, cloned(data, seed, updates=20), seed, CPU)
    if sampler is not None:
        algorithm.sampler = sampler  # pyright: ignore[reportAttributeAccessIssue]
    before = success_rate(algorithm.head, seed)
    practise(algorithm, data, seed, episodes=40, helps=0.25)
    return before, success_rate(algorithm.head, seed)


def test_it_learns_to_reach_with_a_little_help(seed: int) -> None:
    before, after = session(seed % 1000)
    print(f"success {before:.2f} → {after:.2f}")
    assert before < 0.5
    assert after >= 0.8


def test_without_rejection_it_repeats_its_failures(seed: int) -> None:
    """Positive control of the test above: all steps alike."""
    _, after = session(seed % 1000, Uniform())
    assert after < 0.8


def test_nothing_is_learned_from_nothing() -> None:
    algorithm = HiOrs(FAST, Head(TWO), 0, CPU)
    before = {name: value.clone() for name, value in algorithm.state().items()}
    data = empty(FAST, capacity=10, features=SIZE)
    assert algorithm.update(data, np.random.default_rng(0)) == {}
    assert all(torch.equal(value, before[name]) for name, value in algorithm.state().items())
