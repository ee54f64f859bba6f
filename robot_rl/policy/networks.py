"""The one network that head, critics and cloning share."""

import itertools

import torch
from torch import nn


def mlp(inputs: int, width: int) -> nn.Sequential:
    """Two hidden layers with LayerNorm and tanh, as HIL-SERL's: (…, inputs) → (…, width)."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LayerNorm(width),
        nn.Tanh(),
        nn.Linear(width, width),
        nn.LayerNorm(width),
        nn.Tanh(),
    )


class Ensemble(nn.Module):
    """`members` independent networks of that kind in one batched product:
    (batch, inputs) → (members, batch, outputs).
    """

    def __init__(self, members: int, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        sizes = (inputs, width, width, outputs)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for before, after in itertools.pairwise(sizes):
            layers = [nn.Linear(before, after) for _ in range(members)]
            self.weights.append(torch.stack([layer.weight.detach().T for layer in layers]))
            self.biases.append(torch.stack([layer.bias.detach() for layer in layers])[:, None])
        self.scales = nn.ParameterList([torch.ones(members, 1, width) for _ in range(2)])
        self.shifts = nn.ParameterList([torch.zeros(members, 1, width) for _ in range(2)])
        self.members, self.width = members, width

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs.expand(self.members, *inputs.shape)
        for weight, bias, scale, shift in zip(
            self.weights, self.biases, self.scales, self.shifts, strict=False
        ):
            hidden = torch.baddbmm(bias, hidden, weight)
            hidden = nn.functional.layer_norm(hidden, (self.width,)) * scale + shift
            hidden = torch.tanh(hidden)
        return torch.baddbmm(self.biases[-1], hidden, self.weights[-1])
