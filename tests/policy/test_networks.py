"""The two ways through an ensemble are one function."""

import pytest
import torch

from robot_rl.policy.networks import Ensemble


@pytest.mark.parametrize(("members", "outputs"), [(1, 3), (2, 1), (10, 1)])
def test_one_by_one_is_what_the_batched_product_is(members: int, outputs: int) -> None:
    torch.manual_seed(members)
    ensemble = Ensemble(members, 7, 32, outputs)
    for parameter in ensemble.parameters():
        torch.nn.init.normal_(parameter)  # scales and shifts of their own too
    inputs = torch.randn(5, 7, requires_grad=True)
    found: list[list[torch.Tensor]] = []
    for forward in (ensemble.batched, ensemble.one_by_one):
        values = forward(inputs)
        assert values.shape == (members, 5, outputs)
        wanted = [inputs, *ensemble.parameters()]
        found.append([values, *torch.autograd.grad(values.square().sum(), wanted)])
    for batched, one_by_one in zip(*found, strict=True):
        torch.testing.assert_close(one_by_one, batched, rtol=1e-3, atol=1e-4)
