"""The one network that head, critics and cloning share."""

import itertools
from contextlib import AbstractContextManager, nullcontext

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
        self.hidden_dtype = torch.float32  # of its products; the learner may lower it

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 (as of Sequential)
        if self.hidden_dtype is torch.float32:
            return super().forward(input)
        with torch.autocast(input.device.type, self.hidden_dtype):
            return super().forward(input).float()

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
        self.hidden_dtype = torch.float32  # of its hidden products; the learner may lower it

    @torch.no_grad()
    def see_through(self, matrix: torch.Tensor, offset: torch.Tensor) -> None:
        """As `Mlp.see_through`; the features are the first of the inputs."""
        seen = self.weights[0][:, : len(offset)]
        self.biases[0].add_((offset @ seen)[:, None])
        seen.copy_(matrix @ seen)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.batched(inputs) if inputs.is_cuda else self.one_by_one(inputs)

    def one_by_one(self, inputs: torch.Tensor) -> torch.Tensor:
        # By number: torch.compile cannot unpack these lists.
        (w, b), (g, s) = (self.weights, self.biases), (self.scales, self.shifts)
        layers = (w[0], w[1], w[2], b[0], b[1], b[2], g[0], g[1], s[0], s[1])
        members = zip(*(layer.unbind() for layer in layers), strict=True)
        return torch.stack([self._member(inputs, *each) for each in members])

    def _member(self, inputs: torch.Tensor, *layers: torch.Tensor) -> torch.Tensor:
        first, second, last, *others = layers
        bias_1, bias_2, bias_3, scale_1, scale_2, shift_1, shift_2 = (each[0] for each in others)
        shape = (self.width,)
        with self._hidden(inputs):
            hidden = torch.addmm(bias_1, inputs, first)
            hidden = torch.tanh(nn.functional.layer_norm(hidden, shape, scale_1, shift_1))
            hidden = torch.addmm(bias_2, hidden, second)
            hidden = torch.tanh(nn.functional.layer_norm(hidden, shape, scale_2, shift_2))
        return torch.addmm(bias_3, hidden.float(), last)

    def batched(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs.expand(self.members, *inputs.shape)
        with self._hidden(inputs):
            for layer in range(2):
                hidden = torch.baddbmm(self.biases[layer], hidden, self.weights[layer])
                hidden = nn.functional.layer_norm(hidden, (self.width,))
                hidden = torch.tanh(hidden * self.scales[layer] + self.shifts[layer])
        return torch.baddbmm(self.biases[2], hidden.float(), self.weights[2])

    def _hidden(self, inputs: torch.Tensor) -> AbstractContextManager[object]:
        """The last layer is outside: a value with eight binary digits would be none."""
        if self.hidden_dtype is torch.float32:
            return nullcontext()
        return torch.autocast(inputs.device.type, self.hidden_dtype)
