"""ConRFT: its losses by hand, what its offline stage teaches a critic, and that it learns."""

import math

import numpy as np
import pytest
import torch

from robot_rl.config.algorithms.conrft import ConrftSettings
from robot_rl.config.algorithms.rlpd import RlpdSettings
from robot_rl.learner.algorithm import make_algorithm
from robot_rl.learner.algorithms.conrft import Conrft, calibrated_gap
from robot_rl.learner.derived import DECIDED, FEATURES
from robot_rl.learner.replay import CPU, Batch, Replay
from robot_rl.learner.sac import descend
from robot_rl.learner.samplers import Demonstrated
from robot_rl.policy.consistency_head import ConsistencyHead, karras_scales
from robot_rl.policy.head import Head
from robot_rl.policy.manifest import BadCheckpoint
from tests.learner.algorithms.reaching import demonstrate, empty, practise, success_rate
from tests.learner.algorithms.test_hil_serl import SHAPE as REACHING
from tests.learner.test_critics import SHAPE, answer, batch_of_two
from tests.policy.test_consistency_head import constant

FAST = ConrftSettings(
    batch=32, width=32, learning_rate=1e-3, offline_updates=400, sampled_actions=4
)


def made(**changes: float) -> Conrft:
    settings = ConrftSettings(width=16, critics=2, discount=0.9, temperature=0.5, sampled_actions=1)
    algorithm = Conrft(settings.model_copy(update=changes), Head(SHAPE), 0, CPU)
    answer(algorithm.critics.values, [[0.1], [0.5]])
    answer(algorithm.critics.slow_values, [[3.0], [2.0]])
    answer(algorithm.critics.grasp, [[0.0, 0.05, 0.0]])
    algorithm.rng.manual_seed(1)
    return algorithm


def with_returns(algorithm: Conrft, returns: list[float]) -> Batch:
    batch = batch_of_two()
    columns = {**batch.columns, algorithm.returns: torch.tensor(returns)}
    return Batch(columns=columns, online=batch.online)


def test_the_gap_is_taken_over_calibrated_values() -> None:
    others = torch.tensor([[[0.2, 1.0], [0.0, 0.0]]])  # one critic, two states, two other actions
    taken, returns = torch.tensor([[0.6, 0.0]]), torch.tensor([0.5, 0.0])
    gap = calibrated_gap(others, taken, returns, 0.5)
    first = 0.5 * math.log((math.exp(1.0) + math.exp(2.0) + math.exp(1.2)) / 3) - 0.6
    assert gap.item() == pytest.approx(first / 2, abs=1e-6)  # 0.2 was raised to 0.5
    assert calibrated_gap(others, taken, returns + 5, 0.5).item() > gap.item()


def test_what_was_reached_is_not_pushed_down() -> None:
    """An action that is worth less than the return has no gradient: that is the calibration."""
    others = torch.tensor([[[0.2, 0.9]]], requires_grad=True)
    calibrated_gap(others, torch.tensor([[0.6]]), torch.tensor([0.5]), 0.5).backward()
    assert others.grad is not None
    assert others.grad[0, 0, 0].item() == 0.0
    assert others.grad[0, 0, 1].item() > 0.0


def test_the_gaps_of_a_batch_by_hand() -> None:
    """Critics that answer 0.1 and 0.5 whatever the action; the first closed, the second stayed."""
    algorithm = made()
    batch = with_returns(algorithm, [0.3, -1.0])
    _, _, values = algorithm.critics.errors(batch, torch.zeros(2), torch.zeros(2, 1))
    gap, grasp_gap = algorithm.gaps(batch, values)
    # three other actions and the recorded one; only the first critic is below the first return
    raised = 0.5 * math.log((3 * math.exp(0.6) + math.exp(0.2)) / 4) - 0.1
    assert gap.item() == pytest.approx(raised / 4, abs=1e-6)
    closed = 0.5 * math.log((3 * math.exp(0.6) + 1) / 4)
    stayed = 0.5 * math.log((2 * math.exp(0.0) + 2 * math.exp(0.1)) / 4) - 0.05
    assert grasp_gap.item() == pytest.approx((closed + stayed) / 2, abs=1e-6)


def test_other_actions_are_uniform_and_the_policys_here_and_next() -> None:
    algorithm = made(sampled_actions=5)
    constant(algorithm.head, [1.0], [0.0, 0.0, 0.0])
    others = algorithm.others(with_returns(algorithm, [0.0, 0.0]))
    assert others.shape == (2, 15, 1)
    assert others[:, :5].std() > 0.2
    assert others[:, 5:].flatten().tolist() == pytest.approx([0.5] * 20, abs=0.02)


def test_the_target_is_the_least_value_of_what_it_would_do_next() -> None:
    assert made().target(batch_of_two()).tolist() == pytest.approx([0.9 * 2.0, 1.0])


def test_the_consistency_loss_by_hand() -> None:
    algorithm = made()
    constant(algorithm.head, [0.4], [0.0, math.log(2.0), 0.0])
    action = torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.0, 1.0]])  # stays, opens
    loss = algorithm.clone_loss(torch.zeros(2, 2), action)

    rng = torch.Generator().manual_seed(1)
    index = torch.randint(0, 39, (2,), generator=rng).tolist()
    noise = torch.randn(2, 1, generator=rng)[:, 0].tolist()
    expected = -(math.log(0.5) + math.log(0.25)) / 2
    for clean, number, z in zip((0.5, -0.5), index, noise, strict=True):
        sigma = karras_scales()[number].item()
        keep = 0.25 / ((sigma - 0.002) ** 2 + 0.25)
        change = (sigma - 0.002) * 0.5 / math.sqrt(sigma**2 + 0.25)
        denoised = keep * (clean + sigma * z) + change * 0.4
        expected += (1 / sigma**2 + 4) * (denoised - clean) ** 2 / 2
    assert loss.item() == pytest.approx(expected, rel=1e-3)


def test_improvement_is_the_mean_value_of_what_it_draws() -> None:
    algorithm = made(gripper_temperature=0.05)
    constant(algorithm.head, [0.4], [0.0, 2.0, 0.0])
    policy, wanted = math.e**2 / (2 + math.e**2), math.e / (2 + math.e)
    grip = -wanted * math.log(policy) - (1 - wanted) * math.log((1 - policy) / 2)
    improve = algorithm.improvement(batch_of_two()[FEATURES])
    assert improve.item() == pytest.approx(grip - 0.3, abs=1e-5)


def margin(conservatism: float, seed: int, floor: float | None = None) -> float:
    """By how much demonstrated actions are worth more than any others, after 150 critic updates;
    with `floor` in place of the returns.
    """
    settings = FAST.model_copy(update={"batch": 16, "sampled_actions": 3})
    data, rng = empty(settings), np.random.default_rng(seed)
    demonstrate(data, seed, episodes=5)
    algorithm = Conrft(settings, Head(REACHING), seed % 1000, CPU)
    columns = (*algorithm.columns, algorithm.returns)
    for _ in range(150):
        batch = data.sample(settings.batch, rng, Demonstrated(), columns)
        if floor is not None:
            returns = torch.full_like(batch[algorithm.returns], floor)
            batch = Batch(columns={**batch.columns, algorithm.returns: returns}, online=0)
        algorithm.update_critics(batch, conservatism)
    batch = data.sample(256, rng, Demonstrated(), columns)
    features, shown = batch[FEATURES], batch[DECIDED][:, [0, 1]]
    other = 2 * torch.rand(shown.shape, generator=torch.Generator().manual_seed(0)) - 1
    with torch.no_grad():
        taken, others = algorithm.critics.of(features, shown), algorithm.critics.of(features, other)
    return (taken - others).mean().item()


def test_offline_what_nobody_tried_is_worth_less_but_not_less_than_was_reached(seed: int) -> None:
    plain, calibrated, conservative = margin(0.0, seed), margin(0.5, seed), margin(0.5, seed, -10.0)
    print(f"margin {plain:.3f}, calibrated {calibrated:.3f}, without returns {conservative:.3f}")
    assert plain + 0.01 < calibrated < conservative - 0.1


def test_without_demonstrations_there_is_nothing_to_make_a_head_from() -> None:
    data, rng = empty(FAST, capacity=10), np.random.default_rng(0)
    with pytest.raises(BadCheckpoint, match="a consistency head of its own on the demonstrations"):
        next(Conrft(FAST, Head(REACHING), 0, CPU).offline(data, rng))
    shape = REACHING.model_copy(update={"kind": "consistency"})
    assert list(Conrft(FAST, ConsistencyHead(shape), 0, CPU).offline(data, rng)) == []


def test_a_head_that_an_algorithm_cannot_train_is_refused() -> None:
    head = ConsistencyHead(REACHING.model_copy(update={"kind": "consistency"}))
    with pytest.raises(BadCheckpoint, match="has a consistency head and rlpd trains a gaussian"):
        make_algorithm(RlpdSettings(), head, 0, CPU)
    algorithm = make_algorithm(FAST.model_copy(update={"width": 32}), head, 0, CPU)
    assert algorithm.head is head


def session(seed: int) -> tuple[float, float]:
    """Success after the offline stage, and the mean of that after 30, 40 and 50 episodes with a
    little help.
    """
    data: Replay = empty(FAST)
    demonstrate(data, seed, episodes=2)
    algorithm = Conrft(FAST, Head(REACHING), seed, CPU)
    for _ in algorithm.offline(data, np.random.default_rng(seed)):
        pass
    counts = algorithm.counts
    assert (counts.updates, counts.critic) == (0, FAST.offline_updates)
    before, after = success_rate(algorithm.head, seed), []
    for part in range(5):
        practise(algorithm, data, seed + part, episodes=10, helps=0.2)
        after.append(success_rate(algorithm.head, seed))
    return before, sum(after[2:]) / 3


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(600)
def test_it_learns_offline_and_goes_on_online(seed: int) -> None:
    before, after = np.mean([session(seed % 1000 + each) for each in range(2)], axis=0)
    print(f"success {before:.2f} → {after:.2f}")
    assert before >= 0.2, "two demonstrations teach it something"
    assert after >= before + 0.2


def test_one_step_gives_the_mean_of_what_was_shown() -> None:
    """Cloned from two contrary actions, it tells them apart where there is little noise; from the
    greatest scale it goes between them: the published loss regresses the action, and there the
    noise hides which one it was.
    """
    settings = FAST.model_copy(update={"batch": 128})
    algorithm = Conrft(settings, Head(REACHING.model_copy(update={"axes": (0,)})), 0, CPU)
    seen, action = torch.zeros(128, 3), torch.zeros(128, 7)
    action[:, 0] = torch.tensor([0.7, -0.7]).repeat(64)
    for _ in range(400):
        descend(algorithm.optimizers["actor"], algorithm.clone_loss(seen, action))
    with torch.no_grad():
        near = algorithm.head(seen[:2], torch.tensor([[0.9], [-0.9]]), torch.full((2,), 0.2))
        drawn = algorithm.drawn(seen)
    assert near[:, 0].tolist() == pytest.approx([0.7, -0.7], abs=0.2)
    assert drawn.abs().mean() < 0.3
