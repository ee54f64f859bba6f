"""What cloning and learning share: how far a head is from what a person did."""

import torch
from torch import nn

from robot_rl.policy.head import GRIPPER_VALUES, Head


def clone_loss(head: Head, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """(batch,): squared error of the mean action (batch, 7), and cross-entropy of the gripper."""
    output = head(features)
    axes = list(head.settings.axes)
    loss = (torch.tanh(output.mean) - action[:, axes]).square().sum(-1)
    if output.gripper is not None:
        choice = gripper_choice(action)
        loss = loss + nn.functional.cross_entropy(output.gripper, choice, reduction="none")
    return loss


def gripper_choice(action: torch.Tensor) -> torch.Tensor:
    """(batch,) index into GRIPPER_VALUES of the nearest of close, stay, open."""
    return (action[:, -1].clamp(GRIPPER_VALUES[0], GRIPPER_VALUES[-1]).round() + 1).long()
