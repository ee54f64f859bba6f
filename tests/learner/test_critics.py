"""Values, targets and losses against numbers worked out by hand, on networks whose answers do not
depend on their inputs.
"""

import math

import pytest
import torch
from torch import nn

from robot_rl.learner.critics import Critics, bootstrapped, least_of
from robot_rl.learner.derived import (
    BOOTSTRAP,
    DECIDED,
    FEATURES,
    NEXT_FEATURES,
    PENALTY,
    REWARD,
)
from robot_rl.learner.replay import Batch
from robot_rl.learner.sac import Temperature, descend, follow_values, sample
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.policy.networks import Ensemble
from robot_rl.policy.residual_head import ResidualHead

SHAPE = HeadSettings(features=2, size=3, axes=(0,), gripper_columns=(2,), width=16)
GAMMA = 0.9


def batch_of_two() -> Batch:
    """Two steps: one goes on, closing the gripper; one terminated with a success, staying."""
    return Batch(
        columns={
            FEATURES: torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
            NEXT_FEATURES: torch.tensor([[1.0, 1.0], [2.0, 0.0]]),
            DECIDED: torch.tensor([[0.5, 0.0, -1.0], [-0.5, 0.0, 0.0]]),
            REWARD: torch.tensor([0.0, 1.0]),
            PENALTY: torch.tensor([-0.02, 0.0]),
            BOOTSTRAP: torch.tensor([1.0, 0.0]),
        },
        online=2,
    )


def answer(network: Ensemble | None, values: list[list[float]]) -> None:
    """From now on each member gives these outputs, whatever it is asked."""
    assert network is not None
    with torch.no_grad():
        network.weights[-1].zero_()
        network.biases[-1].copy_(torch.tensor(values)[:, None])


def say(head: Head | ResidualHead, mean: float, log_std: float, grippers: list[float]) -> None:
    assert head.gripper is not None
    for layer, values in ((head.mean, [mean]), (head.log_std, [log_std]), (head.gripper, grippers)):
        nn.init.zeros_(layer.weight)
        layer.bias.data.copy_(torch.tensor(values))


@pytest.fixture
def critics() -> Critics:
    made = Critics(SHAPE, members=3, width=16)
    answer(made.values, [[0.1], [0.2], [0.6]])
    answer(made.slow_values, [[1.0], [2.0], [5.0]])
    answer(made.grasp, [[0.3, 0.5, 0.4]])  # close, stay, open
    answer(made.slow_grasp, [[7.0, 0.8, 9.0]])
    return made


def test_the_target_is_reward_and_discounted_value_unless_it_terminated() -> None:
    target = bootstrapped(batch_of_two(), GAMMA, torch.tensor([2.0, 3.0]))
    assert target.tolist() == pytest.approx([1.8, 1.0])


def test_the_least_is_taken_of_as_many_as_are_drawn() -> None:
    values = torch.tensor([[1.0], [2.0], [5.0]])
    rng = torch.Generator().manual_seed(0)
    assert least_of(values, 3, rng).tolist() == [1.0]
    drawn = [least_of(values, 2, rng).item() for _ in range(300)]
    assert set(drawn) == {1.0, 2.0}
    assert drawn.count(1.0) / 300 == pytest.approx(2 / 3, abs=0.1), "two of the three pairs"


def test_the_gripper_is_valued_as_a_double_dqn(critics: Critics) -> None:
    """The fast network chooses (stay, 0.5), the copy says what that is worth (0.8)."""
    target = critics.grasp_target(batch_of_two(), GAMMA)
    assert target[:, 0].tolist() == pytest.approx([-0.02 + 0.9 * 0.8, 1.0])


def test_errors_are_of_what_was_executed(critics: Critics) -> None:
    target, grasp = torch.tensor([0.6, 0.1]), torch.tensor([[0.5], [0.1]])
    error, grasp_error, values = critics.errors(batch_of_two(), target, grasp)
    by_member = [0.25 + 0.0, 0.16 + 0.01, 0.0 + 0.25]  # of both steps
    assert error.item() == pytest.approx(sum(by_member) / 6)
    # the first closed (0.3), the second stayed (0.5)
    assert grasp_error.item() == pytest.approx((0.2**2 + 0.4**2) / 2)
    assert values[:, 0].tolist() == pytest.approx([0.1, 0.2, 0.6])


def test_copies_follow_and_are_never_trained(critics: Critics) -> None:
    assert not {*map(id, critics.trained)} & {*map(id, critics.slow_values.parameters())}
    critics.follow(0.25)
    value = critics.slow_of(torch.zeros(1, 2), torch.zeros(1, 1))[:, 0]
    assert value.tolist() == pytest.approx([0.775, 1.55, 3.9])


def test_without_a_gripper_its_losses_are_zero() -> None:
    bare = Critics(SHAPE.model_copy(update={"gripper_columns": ()}), members=2, width=16)
    target = bare.grasp_target(batch_of_two(), GAMMA)
    assert target.shape == (2, 0)
    assert bare.errors(batch_of_two(), torch.zeros(2), target)[1].item() == 0.0
    logits = torch.zeros(2, 0, 3)
    assert follow_values(logits, bare.grasps(torch.zeros(2, 2)), 0.1).tolist() == [0.0, 0.0]


def test_a_drawn_action_has_the_probability_of_a_squashed_gaussian() -> None:
    head = Head(SHAPE)
    say(head, mean=0.3, log_std=-2.0, grippers=[1.0, 2.0, 3.0])
    drawn = sample(head, torch.zeros(1, 2), torch.Generator().manual_seed(3))
    z = torch.randn(1, 1, generator=torch.Generator().manual_seed(3)).item()
    u = 0.3 + math.exp(-2.0) * z
    density = math.exp(-0.5 * z * z) / (math.exp(-2.0) * math.sqrt(2 * math.pi))
    expected = math.log(density / (1 - math.tanh(u) ** 2))
    assert drawn.action.item() == pytest.approx(math.tanh(u), abs=1e-6)
    assert drawn.log_probability.item() == pytest.approx(expected, abs=1e-5)
    assert drawn.grippers[0, 0].tolist() == [1.0, 2.0, 3.0]


def test_the_temperature_rises_while_there_is_too_little_entropy() -> None:
    temperature = Temperature(0.01, target_entropy=-3.0)
    loss = temperature.loss(torch.tensor([5.0, 7.0]))  # entropy −6, target −3
    assert loss.item() == pytest.approx(0.01 * (-6 + 3))
    descend(torch.optim.SGD(temperature.parameters(), 1.0), loss)
    assert temperature.value.item() == pytest.approx(0.01 * math.exp(0.03), rel=1e-4)


def test_a_gripper_that_is_sure_and_wrong_still_learns() -> None:
    logits = torch.tensor([[[30.0, 0.0, 0.0]]], requires_grad=True)
    values = torch.tensor([[[0.0, 0.02, 0.0]]])
    loss = follow_values(logits, values, 0.02)
    wanted = [1 / (2 + math.e), math.e / (2 + math.e), 1 / (2 + math.e)]
    assert loss.item() == pytest.approx(30 * (wanted[1] + wanted[2]), abs=1e-4)
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].tolist() == pytest.approx([1 - wanted[0], -wanted[1], -wanted[2]])


def test_values_that_are_equal_leave_a_gripper_to_its_prior() -> None:
    """lift_cube lost its start's grasp to critics that did not know the choices apart yet."""
    prior = torch.tensor([[[4.0, 0.0, 0.0]]])
    logits = prior.clone().requires_grad_(True)
    follow_values(logits, torch.full((1, 1, 3), 0.3), 0.02, prior).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)


def test_a_gap_between_values_is_weighed_against_the_prior() -> None:
    """A choice e⁴ times less likely is level with the other where it is worth 4·τ more."""
    prior, logits = torch.tensor([[[4.0, 0.0, -90.0]]]), torch.zeros(1, 1, 3, requires_grad=True)
    values = torch.tensor([[[0.0, 4 * 0.02, 0.0]]])
    follow_values(logits, values, 0.02, prior).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].tolist() == pytest.approx([1 / 3 - 0.5, 1 / 3 - 0.5, 1 / 3], abs=1e-6)
