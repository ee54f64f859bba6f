"""What people do in a state, and how sure that is: networks fitted to human steps."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from robot_rl.policy.head import GRIPPER_VALUES, HeadSettings, choices_of, picked
from robot_rl.policy.networks import Ensemble

LOG_STD_MIN, LOG_STD_MAX = -5.0, 0.7
CHOICES = len(GRIPPER_VALUES)


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAction:
    """What a person would do, by all models together."""

    mean: torch.Tensor  # (batch, axes)
    std: torch.Tensor  # (batch, axes): their spread, and how much the models disagree
    grippers: torch.Tensor  # (batch, grippers, choices) probabilities


class HumanModel(nn.Module):
    """`members` Gaussians N(tanh m(s), σ(s)) over the axes, and a choice for each gripper.

    Together they are a mixture (deep ensembles, Lakshminarayanan et al. 2017): its variance is the
    mean of theirs and the variance of their means, so that it grows where nobody showed anything.
    """

    def __init__(self, shape: HeadSettings, *, members: int, width: int) -> None:
        super().__init__()
        self.shape = shape
        self._outputs = (len(shape.axes), len(shape.axes), CHOICES * len(shape.gripper_columns))
        self.networks = Ensemble(members, shape.features, width, sum(self._outputs))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of each member: mean and log σ (members, batch, axes), logits (…, grippers, choices)."""
        mean, log_std, grippers = self.networks(features).split(self._outputs, -1)
        logits = grippers.unflatten(-1, (len(self.shape.gripper_columns), CHOICES))
        return torch.tanh(mean), log_std.clamp(LOG_STD_MIN, LOG_STD_MAX), logits

    def loss(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """−log p of human actions (batch, action), the mean over batch and members."""
        return self.errors(features, action).mean()

    def errors(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """(members, batch): −log p of human actions (batch, action)."""
        mean, log_std, logits = self(features)
        error = (picked(action, self.shape.axes) - mean) / log_std.exp()
        likelihood = -0.5 * error.square() - log_std - 0.5 * math.log(2 * math.pi)
        chosen = choices_of(self.shape, action).expand(logits.shape[:-1])[..., None]
        choice = logits.log_softmax(-1).gather(-1, chosen)
        return -(likelihood.sum(-1) + choice.sum((-2, -1)))

    @torch.no_grad()
    def predict(self, features: torch.Tensor) -> HumanAction:
        mean, log_std, logits = self(features)
        variance = (2 * log_std).exp().mean(0) + mean.var(0, correction=0)
        return HumanAction(
            mean=mean.mean(0), std=variance.sqrt(), grippers=logits.softmax(-1).mean(0)
        )
