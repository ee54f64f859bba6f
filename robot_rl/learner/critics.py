"""What the algorithms with a value have in common: an ensemble of critics over the arm's axes, a
value for each choice of a gripper, copies of both that follow slowly, and their targets.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn

from robot_rl.learner.derived import (
    BOOTSTRAP,
    DECIDED,
    FEATURES,
    NEXT_FEATURES,
    PENALTY,
    REWARD,
    BatchColumn,
)
from robot_rl.learner.device import send
from robot_rl.learner.replay import Batch
from robot_rl.policy.head import GRIPPER_VALUES, HeadSettings, choices_of, picked
from robot_rl.policy.networks import Ensemble

CHOICES = len(GRIPPER_VALUES)
NEEDED = (FEATURES, NEXT_FEATURES, DECIDED, REWARD, PENALTY, BOOTSTRAP)
"""Columns that a batch must have."""


type Constrain = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""What an actor is to follow in place of a value: value (batch,), features, axes (batch, axes) and
gripper logits (batch, grippers, choices) → (batch,) (robot_rl.learner.risk.constraint).
"""


def unconstrained(
    value: torch.Tensor,
    features: torch.Tensor,  # noqa: ARG001 (others need it)
    axes: torch.Tensor,  # noqa: ARG001
    grippers: torch.Tensor,  # noqa: ARG001
) -> torch.Tensor:
    """The value itself."""
    return value


class Critics(nn.Module):
    """Q(s, axes) of `members` networks, and Q_g(s, choice) of each gripper: the grasp critic of
    HIL-SERL (Luo et al. 2024), a double DQN.
    """

    def __init__(self, shape: HeadSettings, *, members: int, width: int) -> None:
        super().__init__()
        self.shape = shape
        self.values = Ensemble(members, shape.features + len(shape.axes), width, 1)
        outputs = CHOICES * len(shape.gripper_columns)
        self.grasp = Ensemble(1, shape.features, width, outputs) if outputs else None
        self.slow_values = copy.deepcopy(self.values).requires_grad_(False)
        self.slow_grasp = copy.deepcopy(self.grasp)
        if self.slow_grasp is not None:
            self.slow_grasp.requires_grad_(False)

    @property
    def trained(self) -> Sequence[nn.Parameter]:
        """All but the copies."""
        networks = [self.values] if self.grasp is None else [self.values, self.grasp]
        return [parameter for network in networks for parameter in network.parameters()]

    def of(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """(members, batch) values of an action (batch, axes)."""
        return self.values(torch.cat([features, action], -1))[..., 0]

    def slow_of(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """The same by the copies."""
        return self.slow_values(torch.cat([features, action], -1))[..., 0]

    def grasps(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, grippers, choices) values; no grippers where there is none."""
        return _by_gripper(self.grasp, features)

    @torch.no_grad()
    def grasp_target(self, batch: Batch, discount: float) -> torch.Tensor:
        """(batch, grippers): r + penalty + γ·mask·Q_g'(s′, argmax Q_g(s′))."""
        best = self.grasps(batch[NEXT_FEATURES]).argmax(-1, keepdim=True)
        following = _by_gripper(self.slow_grasp, batch[NEXT_FEATURES]).gather(-1, best)[..., 0]
        reward = (batch[REWARD] + batch[PENALTY])[:, None]
        return reward + discount * batch[BOOTSTRAP][:, None] * following

    def errors(
        self, batch: Batch, target: torch.Tensor, grasp_target: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mean squared errors of the executed actions' values and of their grippers'; the values
        (members, batch).
        """
        action = batch[DECIDED]
        predicted = self.of(batch[FEATURES], picked(action, self.shape.axes))
        taken = self.grasps(batch[FEATURES]).gather(-1, choices_of(self.shape, action)[..., None])
        grasp = (taken[..., 0] - grasp_target).square()
        return (
            (predicted - target).square().mean(),
            grasp.mean() if grasp.numel() else grasp.sum(),
            predicted,
        )

    def follow(self, rate: float) -> None:
        """The copies come closer by that fraction."""
        follow(self.slow_values, self.values, rate)
        if self.slow_grasp is not None and self.grasp is not None:
            follow(self.slow_grasp, self.grasp, rate)


def _by_gripper(network: Ensemble | None, features: torch.Tensor) -> torch.Tensor:
    if network is None:
        return features.new_zeros(len(features), 0, CHOICES)
    return network(features)[0].unflatten(-1, (-1, CHOICES))


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, rate: float) -> None:
    """A copy comes closer to what it was copied from by that fraction."""
    for old, new in zip(slow.parameters(), fast.parameters(), strict=True):
        old.lerp_(new, rate)


def least_of(values: torch.Tensor, count: int, rng: torch.Generator) -> torch.Tensor:
    """(batch,): the least of `count` members, drawn anew each time (REDQ, Chen et al. 2021)."""
    if count < len(values):
        chosen = torch.randperm(len(values), generator=rng)[:count]
        values = values.index_select(0, send(chosen, values.device))
    return values.amin(0)


def bootstrapped(
    batch: Batch, discount: float, following: torch.Tensor, floor: BatchColumn | None = None
) -> torch.Tensor:
    """(batch,): r + γ·mask·following; with a floor, never less than that column: the return which
    was reached from there is a lower bound of what can be (optimality tightening, He et al. 2017).
    """
    target = batch[REWARD] + discount * batch[BOOTSTRAP] * following
    return target if floor is None else torch.maximum(target, batch[floor])
