"""A head that corrects a frozen policy a little at every step (ResFiT, arXiv 2509.19301; PLD, arXiv
2511.00091). With b = base(s), the frozen policy's action,

  a = clip(b + scale·tanh(μ + σ·z), −1, 1),    μ, σ = net(s, b),    z ~ N(0, 1)

A gripper's logits are PRIOR for what the frozen policy would do, and the net's are added to them.
Untrained the net adds nothing: the head then does what the frozen policy does.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robot_rl.policy.head import (
    GRIPPER_VALUES,
    LOG_STD_MIN,
    ActingPolicy,
    Head,
    HeadOutput,
    HeadSettings,
    assemble,
    choices_of,
    drawn,
    picked,
)
from robot_rl.policy.networks import Mlp
from robot_rl.policy.reference import Reference

KIND = "residual"
LOG_STD_MAX, LOG_STD_START = 0.0, -1.0  # of the correction, which `scale` makes small
PRIOR = 3.0  # a share of 0.91 for the frozen policy's order


class ResidualHead(nn.Module):
    """(batch, features) → the distribution of a correction, and the action that it corrects."""

    def __init__(self, settings: HeadSettings, base: Head | None = None) -> None:
        """`base`: the frozen policy; None: an untrained one, to be filled from a file."""
        super().__init__()
        self.settings = settings
        self.reference = Reference(settings, base)
        columns = len(settings.axes) + len(settings.gripper_columns)
        self.trunk = Mlp(settings.features + columns, settings.width)
        self.mean = nn.Linear(settings.width, len(settings.axes))
        self.log_std = nn.Linear(settings.width, len(settings.axes))
        outputs = len(GRIPPER_VALUES) * len(settings.gripper_columns)
        self.gripper = nn.Linear(settings.width, outputs) if outputs else None
        for layer in (self.mean, self.log_std, *([] if self.gripper is None else [self.gripper])):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.log_std.bias, LOG_STD_START)

    def frozen(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The frozen policy's axes (batch, axes), and its grippers' choices (batch, grippers)."""
        action = self.reference(features)
        return picked(action, self.settings.axes), choices_of(self.settings, action)

    def seen(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, features + axes + grippers): the state with the frozen policy's action in it."""
        axes, choices = self.frozen(features)
        return torch.cat([features, axes, choices.to(axes.dtype) - 1], -1)

    def orders(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, grippers, choices): 1 for what the frozen policy would order, else 0."""
        places = torch.arange(len(GRIPPER_VALUES), device=features.device)
        return (self.frozen(features)[1][..., None] == places).to(features.dtype)

    def forward(self, features: torch.Tensor) -> HeadOutput:
        """`mean` and `log_std` are of the correction, before squashing and scale."""
        hidden = self.trunk(self.seen(features))
        logits = PRIOR * self.orders(features)
        if self.gripper is not None:
            logits = logits + self.gripper(hidden).unflatten(-1, logits.shape[1:])
        return HeadOutput(
            mean=self.mean(hidden),
            log_std=self.log_std(hidden).clamp(LOG_STD_MIN, LOG_STD_MAX),
            grippers=logits,
        )

    def corrected(self, features: torch.Tensor, correction: torch.Tensor) -> torch.Tensor:
        """(batch, axes) −1 … 1 of corrections (batch, axes) that are squashed already."""
        return (self.frozen(features)[0] + self.settings.scale * correction).clamp(-1.0, 1.0)

    def decision(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What it does without noise: (batch, axes) −1 … 1, and the grippers' logits."""
        output = self(features)
        return self.corrected(features, torch.tanh(output.mean)), output.grippers


class ResidualPolicy(ActingPolicy[ResidualHead]):
    """With such a head: it explores in the correction, and so no further than `scale`."""

    def decide(
        self, features: NDArray[np.float32], rng: np.random.Generator, *, deterministic: bool
    ) -> NDArray[np.float64]:
        shape, noise = self.head.settings, np.zeros(len(self.head.settings.axes))
        if not deterministic:
            noise = self.explorer.noise(rng, len(noise))
        with torch.inference_mode():
            seen = torch.from_numpy(features)[None]
            output = self.head(seen)
            raw = output.mean + output.log_std.exp() * torch.from_numpy(noise).float()
            axes = self.head.corrected(seen, torch.tanh(raw))[0].double().numpy()
        best = output.grippers[0].argmax(-1).tolist()
        if not deterministic:
            best = self.explorer.choices(rng, best, len(GRIPPER_VALUES))
        return assemble(shape, axes, best)

    def candidates(
        self, features: NDArray[np.float32], count: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Other corrections, any of them alike; grippers by their probabilities."""
        shape = self.head.settings
        others = rng.uniform(-1, 1, (count, len(shape.axes))).astype(np.float32)
        with torch.inference_mode():
            seen = torch.from_numpy(features)[None]
            axes = self.head.corrected(seen.expand(count, -1), torch.from_numpy(others))
            grippers = self.head(seen).grippers[0]
        return drawn(shape, axes.double().numpy(), grippers, rng)
