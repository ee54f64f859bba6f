"""The one network that head, critics and cloning share."""

import itertools

import torch
from torch import nn


class Mlp(nn.Sequential):
    """Two hidden layers with LayerNorm and tanh, as HIL-SERL's: (…, inputs) → (…, width)."""

    def __init__(self, inputs: int, width: int, *, before: int = 0) -> None:
        """`before`: inputs that stand before the features of a backbone."""
        super().__init__(
            nn.Linear(inputs, width),
            nn.LayerNorm(width),
            nn.Tanh(),
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.Tanh(),
        )
        self.before = before

    @torch.no_grad()
    def see_through(self, matrix: torch.Tensor, offset: torch.Tensor) -> None:
        """Go on with other features: those so far are new @ matrix + offset, (features, …)."""
        first = self[0]
        assert isinstance(first, nn.Linear)
        seen = first.weight[:, self.before : self.before + len(offset)]
        first.bias.add_(seen @ offset)
        seen.copy_(seen @ matrix.T)


class Ensemble(nn.Module):
    """`members` independent networks of that kind: (batch, inputs) → (members, batch, outputs).

    One batched product on a GPU, where launches cost; one after the other on a processor, whose
    products and norms of one member are several times faster.
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

    @torch.no_grad()
    def see_through(self, matrix: torch.Tensor, offset: torch.Tensor) -> None:
        """As `Mlp.see_through`; the features are the first of the inputs."""
        seen = self.weights[0][:, : len(offset)]
        self.biases[0].add_((offset @ seen)[:, None])
        seen.copy_(matrix @ seen)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.batched(inputs) if inputs.is_cuda else self.one_by_one(inputs)

    def one_by_one(self, inputs: torch.Tensor) -> torch.Tensor:
        layers = [*self.weights, *self.biases, *self.scales, *self.shifts]
        members = zip(*(layer.unbind() for layer in layers), strict=True)
        return torch.stack([self._member(inputs, *each) for each in members])

    def _member(self, inputs: torch.Tensor, *layers: torch.Tensor) -> torch.Tensor:
        first, second, last, *others = layers
        bias_1, bias_2, bias_3, scale_1, scale_2, shift_1, shift_2 = (each[0] for each in others)
        shape = (self.width,)
        hidden = torch.addmm(bias_1, inputs, first)
        hidden = torch.tanh(nn.functional.layer_norm(hidden, shape, scale_1, shift_1))
        hidden = torch.addmm(bias_2, hidden, second)
        hidden = torch.tanh(nn.functional.layer_norm(hidden, shape, scale_2, shift_2))
        return torch.addmm(bias_3, hidden, last)

    def batched(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs.expand(self.members, *inputs.shape)
        for weight, bias, scale, shift in zip(
            self.weights, self.biases, self.scales, self.shifts, strict=False
        ):
            hidden = torch.baddbmm(bias, hidden, weight)
            hidden = nn.functional.layer_norm(hidden, (self.width,)) * scale + shift
            hidden = torch.tanh(hidden)
        return torch.baddbmm(self.biases[-1], hidden, self.weights[-1])
