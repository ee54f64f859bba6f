"""What soft actor-critic (Haarnoja et al. 2018) needs of a head: actions that pass gradients, the
temperature, and how a gripper follows its values.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from robot_rl.learner.device import send
from robot_rl.learner.share import own_part
from robot_rl.policy.head import Head
from robot_rl.policy.residual_head import ResidualHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What a head would do, reparametrised."""

    action: torch.Tensor  # (batch, axes), −1 … 1
    log_probability: torch.Tensor  # (batch,) of the axes
    grippers: torch.Tensor  # (batch, grippers, choices) logits


def sample(head: Head | ResidualHead, features: torch.Tensor, rng: torch.Generator) -> Sampled:
    """a = tanh(μ + σ·z), log π(a) = Σ log N(u; μ, σ) − log(1 − tanh²(u)); of a residual, a is the
    correction before its scale.
    """
    output = head(features)
    # Drawn on the processor: a saved generator goes on wherever it is loaded.
    rows, axes = output.mean.shape
    noise = own_part(rows, lambda count: torch.randn((count, axes), generator=rng))
    noise = send(noise, output.mean.device)
    raw = output.mean + output.log_std.exp() * noise
    gaussian = -0.5 * noise.square() - output.log_std - 0.5 * math.log(2 * math.pi)
    # log(1 − tanh²(u)) without cancellation
    squash = 2 * (math.log(2) - raw - nn.functional.softplus(-2 * raw))
    return Sampled(
        action=torch.tanh(raw),
        log_probability=(gaussian - squash).sum(-1),
        grippers=output.grippers,
    )


class Temperature(nn.Module):
    """α, which rises while the entropy is below its target: −dim/2 in RLPD and HIL-SERL."""

    def __init__(self, initial: float, target_entropy: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(initial)))
        self.target_entropy = target_entropy

    @property
    def value(self) -> torch.Tensor:
        """Without gradient."""
        return self.log.detach().exp()

    def loss(self, log_probability: torch.Tensor) -> torch.Tensor:
        """α·(entropy − target)."""
        surplus = (-log_probability.detach() - self.target_entropy).mean()
        return self.log.exp() * surplus


def follow_values(
    grippers: torch.Tensor,
    values: torch.Tensor,
    temperature: float,
    prior: torch.Tensor | None = None,
) -> torch.Tensor:
    """(batch,): cross-entropy of the logits (batch, grippers, choices) with
    softmax(prior + Q_g / τ): the best policy whose divergence from the prior's costs τ (MPO,
    Abdolmaleki et al. 2018). `prior` are logits of the same shape; without, all choices are alike.
    Where their values are equal, the prior itself is wanted: critics that know nothing yet do not
    open a gripper that holds something.

    Its gradient does not vanish where the logits are far apart, as that of −Σ π·Q_g does: a
    gripper that is sure, and wrong, still learns.
    """
    wanted = values.detach() / temperature
    if prior is not None:
        wanted = wanted + prior
    wanted = wanted.softmax(-1)
    return -(wanted * grippers.log_softmax(-1)).sum((-2, -1))


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """One step; what else the loss passes through gets no gradient."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=[each for group in optimizer.param_groups for each in group["params"]])
    optimizer.step()
