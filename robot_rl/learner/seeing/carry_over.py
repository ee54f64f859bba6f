"""What was learned on the features of one encoder goes on with those of the next.

The next encoder was trained on from the one before, so that the features so far are nearly a linear
function of the new ones. It is fitted on recorded moments, and folded into the first layer of every
network that sees: actors, critics, their slow copies and whatever else an algorithm has, exactly up
to what the fit leaves.
"""

from dataclasses import dataclass

import torch
from torch import nn

from robot_rl.policy.networks import Ensemble, Mlp

RIDGE = 1e-3  # towards the identity: where a feature never moved, nothing is known of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """before ≈ after @ matrix + offset."""

    matrix: torch.Tensor  # (features, features)
    offset: torch.Tensor  # (features,)
    unexplained: float  # share of the variance of the features so far

    @classmethod
    def fitted(cls, before: torch.Tensor, after: torch.Tensor) -> "Translation":
        """Ridge regression of (moments, features) each, in double precision."""
        before, after = before.double(), after.double()
        middle = after.mean(0)
        centred = after - middle
        change = before - after
        gram = centred.T @ centred + RIDGE * len(after) * torch.eye(after.shape[1]).double()
        found = torch.linalg.solve(gram, centred.T @ (change - change.mean(0)))
        matrix = torch.eye(after.shape[1]).double() + found
        offset = before.mean(0) - middle @ matrix
        left = before - (after @ matrix + offset)
        spread = (before - before.mean(0)).square().sum().clamp_min(1e-12)
        return cls(
            matrix=matrix.float(),
            offset=offset.float(),
            unexplained=float(left.square().sum() / spread),
        )


def carry_over(networks: object, translation: Translation) -> None:
    """Every network in a module (an algorithm, a head) that sees goes on with the new features. The
    moments of its optimizer stay as they are: the new features are close to those so far.
    """
    for network in networks.modules() if isinstance(networks, nn.Module) else ():
        if isinstance(network, Mlp | Ensemble):
            device = next(network.parameters()).device
            network.see_through(translation.matrix.to(device), translation.offset.to(device))
