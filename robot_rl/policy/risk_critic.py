"""The risk critic as it travels and judges: how likely an action leads to something unsafe soon.

  Q_risk(s, a) = E[c + (1 − c)·γ_risk·Q_risk(s′, a′)],   a′ ~ π(s′)        (Thananjeyan et al. 2021)

Two networks, of which the greater counts. With it travel the recovery policy, which was trained on
the same steps to do what it calls least risky, and some of the policy's own critics. All are one
part of a policy version, with a number of its own and the threshold it was calibrated to
(robot_rl/learner/risk).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from robot_rl.policy.networks import Ensemble, Mlp
from robot_rl.schema.message import MAX_ACTION, Message

MEMBERS = 2
VALUE_MEMBERS = 2
"""Of the policy's critics, at most; the least of them counts (V-GPS, Nakamoto et al. 2024)."""


class RiskSettings(Message):
    """Shape and calibration; travels in the metadata of its weights."""

    features: Annotated[int, Field(ge=1)]
    action: Annotated[int, Field(ge=1, le=MAX_ACTION)]  # columns
    width: Annotated[int, Field(ge=16, le=1024)]
    number: Annotated[int, Field(ge=1)] = 1  # of this critic, counted by itself
    # None: not calibrated, it only warns. Above it an action is held back.
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    calibrated_on: Annotated[int, Field(ge=0)] = 0  # successful episodes
    # Columns that a recovery policy moves and that values are of. Empty: neither travels with it.
    axes: tuple[Annotated[int, Field(ge=0)], ...] = ()
    value_width: Annotated[int, Field(ge=16, le=1024)] | None = None  # None: no values


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


class Recovery(nn.Module):
    """(batch, features) → what leads away from danger, (batch, columns): −1 … 1 along its axes, and
    no order to a gripper. Before it has learned anything it moves nothing.
    """

    def __init__(self, features: int, columns: int, axes: Sequence[int], width: int) -> None:
        super().__init__()
        self.columns, self.axes = columns, list(axes)
        self.trunk = Mlp(features, width)
        self.mean = nn.Linear(width, len(axes))
        nn.init.zeros_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        moved = torch.tanh(self.mean(self.trunk(features)))
        action = moved.new_zeros(len(moved), self.columns)
        action[:, self.axes] = moved
        return action


class ActionValues(nn.Module):
    """(batch, features), (batch, columns) → (batch,): the least of the policy's critics. They say
    nothing of a gripper's order.
    """

    def __init__(self, members: int, features: int, axes: Sequence[int], width: int) -> None:
        super().__init__()
        self.axes = list(axes)
        self.values = Ensemble(members, features + len(axes), width, 1)

    @classmethod
    def of(cls, critics: Ensemble, axes: Sequence[int]) -> "ActionValues":
        """The first of an algorithm's critics, copied (robot_rl.learner.critics.Critics.values)."""
        members = min(VALUE_MEMBERS, critics.members)
        inputs = critics.weights[0].shape[1]
        made = cls(members, inputs - len(axes), axes, critics.width)
        first = {key: tensor[:members] for key, tensor in critics.state_dict().items()}
        made.values.load_state_dict(first)
        return made.eval().requires_grad_(False)

    def forward(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return self.values(torch.cat([features, action[:, self.axes]], -1))[..., 0].amin(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskParts:
    """What travels as one. `values`: None where the algorithm has no critics."""

    settings: RiskSettings
    net: RiskNet
    recovery: Recovery | None = None
    values: ActionValues | None = None
