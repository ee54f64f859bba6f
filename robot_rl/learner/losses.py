"""What cloning and learning share: how far a head is from what a person did."""

import torch
from torch import nn

from robot_rl.policy.head import GRIPPER_VALUES, Head, HeadSettings


def clone_loss(head: Head, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """(batch,): squared error of the mean action (batch, action), and cross-entropy of each
    gripper.
    """
    output = head(features)
    axes = list(head.settings.axes)
    loss = (torch.tanh(output.mean) - action[:, axes]).square().sum(-1)
    choices = choices_of(head.settings, action)
    for gripper in range(choices.shape[1]):
        logits, choice = output.grippers[:, gripper], choices[:, gripper]
        loss = loss + nn.functional.cross_entropy(logits, choice, reduction="none")
    return loss


def choices_of(shape: HeadSettings, action: torch.Tensor) -> torch.Tensor:
    """(batch, grippers) index into GRIPPER_VALUES of the nearest of close, stay, open."""
    orders = action[:, list(shape.gripper_columns)]
    return (orders.clamp(GRIPPER_VALUES[0], GRIPPER_VALUES[-1]).round() + 1).long()
