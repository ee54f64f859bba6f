"""Whatever the algorithm: what is saved is all that it needs to go on bit for bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rl.config.learner import known_algorithms
from robot_rl.learner.algorithm import make_algorithm
from robot_rl.learner.checkpoint import Position, read_state, write_state
from robot_rl.learner.replay import CPU
from robot_rl.policy.head import Head
from tests.learner.algorithms.reaching import demonstrate, empty
from tests.learner.algorithms.test_hil_serl import SHAPE

UPDATES = 6
SMALL = {"batch": 16, "width": 16}
SOON = {"critic_warmup_updates": 2}


@pytest.mark.parametrize(
    "name", sorted(name for name, kind in known_algorithms().items() if kind.reads_features)
)
def test_it_goes_on_bit_for_bit(name: str, seed: int, tmp_path: Path) -> None:
    kind = known_algorithms()[name]
    given = SMALL | {key: value for key, value in SOON.items() if key in kind.model_fields}
    settings = kind(**given)  # pyright: ignore[reportArgumentType]
    data = empty(settings, capacity=200)
    demonstrate(data, seed, episodes=3)
    torch.manual_seed(seed)
    head = Head(SHAPE)
    whole, rng = make_algorithm(settings, head, 0, CPU), np.random.default_rng(seed)
    for _ in range(UPDATES):
        whole.update(data, rng)
    counts = replace(whole.counts)
    assert counts.updates == UPDATES
    assert counts.actor > 0
    position = Position(
        task="lift_cube",
        algorithm=name,
        backbone_sha256="",
        cursor=0,
        env_steps=0,
        updates=counts.updates,
        critic_updates=counts.critic,
        actor_updates=counts.actor,
        published_env_steps=0,
        version=None,
        sampled_interventions=(),
        fresh_interventions=(),
    )
    write_state(tmp_path / "state", whole, rng, position)
    again, after = make_algorithm(settings, Head(SHAPE), 1, CPU), np.random.default_rng()
    read_state(tmp_path / "state", again, name, after)
    assert again.counts == counts
    for _ in range(UPDATES):
        assert whole.update(data, rng) == again.update(data, after)
    state = again.state()
    assert state.keys() == whole.state().keys()
    assert all(torch.equal(value, state[key]) for key, value in whole.state().items())
