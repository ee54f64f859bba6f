"""What cloning and learning share: how far a head is from what a person did."""

import torch
from torch import nn

from robot_rl.learner.derived import FEATURES, IMITATED, SHOWN
from robot_rl.learner.replay import Batch
from robot_rl.policy.head import Head, choices_of, picked


def clone_loss(head: Head, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """(batch,): squared error of the mean action (batch, action), and cross-entropy of each
    gripper.
    """
    output = head(features)
    wanted = picked(action, head.settings.axes)
    loss = (torch.tanh(output.mean) - wanted).square().sum(-1)
    choices = choices_of(head.settings, action)
    for gripper in range(choices.shape[1]):
        logits, choice = output.grippers[:, gripper], choices[:, gripper]
        loss = loss + nn.functional.cross_entropy(logits, choice, reduction="none")
    return loss


class ShownRows:
    """The rows of a batch that a person showed; at least one of them.

    fixed: features and action are of all rows, whose shape is always the same, and those that
    nobody showed weigh nothing in a mean. How many there are is known without asking the device.
    """

    def __init__(self, batch: Batch, *, fixed: bool) -> None:
        features, action, shown = batch[FEATURES], batch[IMITATED], batch[SHOWN]
        self._weights = shown.float() * (batch.parts / batch.count_shown()) if fixed else None
        self.features = features if fixed else features[shown]  # (rows, features)
        self.action = action if fixed else action[shown]  # (rows, action)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Of values (…, rows), over all before them too."""
        if self._weights is None:
            return values.mean()
        return (values * self._weights).sum(-1).mean()
