"""The risk critic as it travels and judges: how likely an action leads to something unsafe soon.

  Q_risk(s, a) = E[c + (1 − c)·γ_risk·Q_risk(s′, a′)],   a′ ~ π(s′)        (Thananjeyan et al. 2021)

Two networks, of which the greater counts. Its weights are a part of a policy version, with a number
of its own and the threshold it was calibrated to (robot_rl/learner/risk).
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from robot_rl.policy.networks import Ensemble
from robot_rl.schema.message import MAX_ACTION, Message

MEMBERS = 2


class RiskSettings(Message):
    """Shape and calibration; travels in the metadata of its weights."""

    features: Annotated[int, Field(ge=1)]
    action: Annotated[int, Field(ge=1, le=MAX_ACTION)]  # columns
    width: Annotated[int, Field(ge=16, le=1024)]
    number: Annotated[int, Field(ge=1)] = 1  # of this critic, counted by itself
    # None: not calibrated, it only warns. Above it an action is held back.
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    calibrated_on: Annotated[int, Field(ge=0)] = 0  # successful episodes


class RiskNet(nn.Module):
    """(batch, features), (batch, action) → logits of the risk, (members, batch)."""

    def __init__(self, features: int, action: int, width: int) -> None:
        super().__init__()
        self.values = Ensemble(MEMBERS, features + action, width, 1)

    def forward(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return self.values(torch.cat([features, action], -1))[..., 0]

    def risk(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """(batch,) 0 … 1: the greater of both."""
        return self(features, action).amax(0).sigmoid()
