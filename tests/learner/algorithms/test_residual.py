"""A residual on a frozen policy: head, target and losses by hand, and a point that learns to reach
what its frozen policy does not.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from robot_rl.config.algorithms.residual import ResidualSettings
from robot_rl.config.document import load_task
from robot_rl.learner.algorithm import make_algorithm
from robot_rl.learner.algorithms.residual import Residual
from robot_rl.learner.derived import FEATURES
from robot_rl.learner.replay import CPU
from robot_rl.policy.checkpoint import load_policy, write_head_on
from robot_rl.policy.head import Head
from robot_rl.policy.interface import Observation
from robot_rl.policy.manifest import PROPRIOCEPTION
from robot_rl.policy.residual_head import PRIOR, ResidualHead, ResidualPolicy
from robot_rl.policy.starting import write_untrained
from tests.learner.algorithms.reaching import cloned, demonstrate, empty, practise, success_rate
from tests.learner.algorithms.test_hil_serl import SHAPE as REACHING
from tests.learner.test_critics import SHAPE, answer, batch_of_two, say

BASE, SCALE, ALPHA, SURE = 0.4, 0.5, 0.5, -20.0


def made(mean: float = 0.0, **changes: float) -> Residual:
    """The frozen policy's axis is 0.4 and it closes its gripper; the correction is tanh(mean)."""
    settings = ResidualSettings(
        scale=SCALE,
        critics=3,
        critic_subsample=3,
        width=16,
        discount=0.9,
        initial_temperature=ALPHA,
        gripper_temperature=0.05,
    ).model_copy(update=changes)
    base = Head(SHAPE)
    say(base, math.atanh(BASE), -2.0, [5.0, 0.0, 0.0])
    algorithm = Residual(settings, base, 0, CPU)
    algorithm.head.mean.bias.data.fill_(mean)
    algorithm.head.log_std.bias.data.fill_(SURE)  # clamped to the least
    answer(algorithm.critics.values, [[0.1], [0.2], [0.6]])
    answer(algorithm.critics.slow_values, [[3.0], [2.0], [5.0]])
    answer(algorithm.critics.grasp, [[0.0, 0.1, 0.0]])
    algorithm.rng.manual_seed(1)
    return algorithm


def test_untrained_it_does_what_the_frozen_policy_does(seed: int) -> None:
    torch.manual_seed(seed)
    base, seen = Head(REACHING), torch.rand(50, 3) * 2 - 1
    head = Residual(ResidualSettings(width=16), base, seed, CPU).head
    (axes, grippers), (wanted, orders) = head.decision(seen), base.decision(seen)
    assert torch.equal(axes, wanted)
    assert torch.equal(grippers.argmax(-1), orders.argmax(-1))


@pytest.mark.parametrize(
    ("mean", "wanted"), [(0.5, BASE + SCALE * math.tanh(0.5)), (9.0, 0.9), (-9.0, -0.1)]
)
def test_the_correction_is_added_within_its_scale(mean: float, wanted: float) -> None:
    axes, grippers = made(mean).head.decision(torch.zeros(1, 2))
    assert axes.item() == pytest.approx(wanted, abs=1e-6)
    assert grippers[0, 0].tolist() == pytest.approx([PRIOR, 0.0, 0.0])


def test_an_action_stays_within_its_limits() -> None:
    axes, _ = made(9.0, scale=2.0).head.decision(torch.zeros(1, 2))
    assert axes.item() == 1.0


def test_critics_see_the_frozen_policys_action() -> None:
    algorithm = made()
    seen = algorithm.with_seen(batch_of_two())[FEATURES]
    # features, then the axis, then the gripper's order: −1 closes
    assert seen.flatten().tolist() == pytest.approx([0.0, 1.0, BASE, -1.0, 1.0, 0.0, BASE, -1.0])


def test_the_target_is_the_least_value_and_by_choice_the_entropy() -> None:
    assert made().target(batch_of_two()).tolist() == pytest.approx([0.9 * 2.0, 1.0])
    soft = made(backup_entropy=True).target(batch_of_two())
    z = torch.randn(2, 1, generator=torch.Generator().manual_seed(1))[0].item()
    deviation = math.exp(-5.0)
    log_probability = -0.5 * z * z + 5.0 - 0.5 * math.log(2 * math.pi)
    log_probability -= math.log(1 - math.tanh(deviation * z) ** 2)
    assert soft.tolist() == pytest.approx([0.9 * (2.0 - ALPHA * log_probability), 1.0], abs=1e-5)


def test_a_gripper_follows_its_values_from_the_frozen_policys_order() -> None:
    """Wanted: softmax(3 + 0, 0.1/0.05, 0); the head says softmax(3, 0, 0)."""
    improve, grip, log_probability = made().actor_loss(batch_of_two()[FEATURES])
    wanted = np.exp([PRIOR, 2.0, 0.0]) / np.exp([PRIOR, 2.0, 0.0]).sum()
    said = np.exp([PRIOR, 0.0, 0.0]) / np.exp([PRIOR, 0.0, 0.0]).sum()
    assert grip.item() == pytest.approx(-(wanted * np.log(said)).sum(), abs=1e-5)
    assert improve.item() == pytest.approx(ALPHA * log_probability.mean().item() - 0.3, abs=1e-5)


def test_the_frozen_policy_never_changes(seed: int) -> None:
    settings = ResidualSettings(batch=16, width=16, critics=2, critic_warmup_updates=2)
    data, rng = empty(settings, capacity=100), np.random.default_rng(seed)
    demonstrate(data, seed, episodes=2)
    algorithm = Residual(settings, Head(REACHING), 0, CPU)
    before = {key: value.clone() for key, value in algorithm.head.state_dict().items()}
    for _ in range(8):
        algorithm.update(data, rng)
    after = algorithm.head.state_dict()
    moved = {key for key, value in before.items() if not torch.equal(value, after[key])}
    assert moved
    assert not [key for key in moved if key.startswith("reference.")]


@pytest.mark.parametrize("scale", [0.0, -0.1, 2.1])
def test_a_scale_that_changes_nothing_or_too_much_is_refused(scale: float) -> None:
    with pytest.raises(ValidationError, match=r"scale"):
        ResidualSettings(scale=scale)


def test_it_travels_as_other_heads_do_and_is_gone_on_from(tmp_path: Path, seed: int) -> None:
    task = load_task("lift_cube")
    manifest = write_untrained(tmp_path, task, seed=seed % 1000)
    start = load_policy(tmp_path).head
    assert isinstance(start, Head)
    head = ResidualHead(start.settings.model_copy(update={"kind": "residual", "scale": 0.5}), start)
    torch.nn.init.normal_(head.mean.weight)
    write_head_on(
        tmp_path,
        backbone=manifest.backbone,
        head=head,
        task=task.name,
        instruction=task.instruction,
        algorithm="residual",
    )
    policy, rng = load_policy(tmp_path), np.random.default_rng(seed)
    assert isinstance(policy, ResidualPolicy)
    observation = Observation(
        images={name: rng.integers(0, 256, (128, 128, 3), dtype=np.uint8) for name in task.cameras},
        state=rng.normal(size=len(PROPRIOCEPTION)),
        state_names=PROPRIOCEPTION,
        instruction="",
        t_ns=0,
    )
    seen = torch.from_numpy(policy.backbone.features(observation))[None]
    wanted = head.decision(seen)[0][0].tolist()
    act = policy.act(observation, rng, deterministic=True).actions
    assert act.shape == (1, 7)
    assert act[0, list(task.action.active_axes)].tolist() == pytest.approx(wanted, abs=1e-6)
    frozen = head.frozen(seen)[0][0].numpy()
    others = policy.candidates(seen[0].numpy(), 40, rng)[:, list(task.action.active_axes)]
    assert 0.25 < np.abs(others - frozen).max() <= 0.5 + 1e-6
    again = make_algorithm(ResidualSettings(width=16, scale=0.2), policy.head, 0, CPU).head
    assert again.settings.scale == 0.2


def session(seed: int, warm_up: int) -> tuple[float, float]:
    """Success of a frozen policy that pulls to one side, and with what was learned to add to it."""
    settings = ResidualSettings(
        batch=32, width=32, critics=4, learning_rate=1e-3, scale=0.5, critic_warmup_updates=warm_up
    )
    data = empty(settings)
    demonstrate(data, seed, episodes=6)
    base = cloned(data, seed, updates=400)
    base.mean.bias.data += 0.9
    algorithm = Residual(settings, base, seed, CPU)
    before = success_rate(algorithm.head, seed)
    for part in range(2):
        practise(algorithm, data, seed + part, episodes=15)
    return before, success_rate(algorithm.head, seed)


def test_it_improves_on_its_frozen_policy_with_nobody_helping() -> None:
    before, after = np.mean([session(seed, 300) for seed in (2, 3)], axis=0)
    assert before <= 0.5
    assert after >= before + 0.3


def test_without_its_actor_it_stays_what_it_was() -> None:
    """Positive control of the test above."""
    before, after = session(2, 10**6)
    assert before == after
