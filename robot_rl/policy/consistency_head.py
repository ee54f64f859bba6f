"""A head that draws its action from noise in one step: a consistency model (Song et al. 2023), as
ConRFT has it (Chen et al. 2025).

With noise z ~ N(0, 1) and the scales σ of Karras et al. (2022),

  f(x, σ | s) = c_skip(σ)·x + c_out(σ)·net(c_in(σ)·x, σ, s),      a = clip(f(σ_max·z, σ_max | s))
  c_skip = σ_d² / ((σ − σ_min)² + σ_d²)    c_out = (σ − σ_min)·σ_d / √(σ² + σ_d²)
  c_in = 1 / √(σ² + σ_d²)

so that f(x, σ_min | s) = x. A gripper has logits of its own, which see no noise.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robot_rl.policy.head import GRIPPER_VALUES, ActingPolicy, HeadSettings, assemble, drawn
from robot_rl.policy.networks import Mlp

KIND = "consistency"
SIGMA_MIN, SIGMA_MAX, SIGMA_DATA, RHO, SCALES = 0.002, 80.0, 0.5, 7.0, 40  # as ConRFT's code
TIME_FEATURES, TIME_WIDTH = 16, 32  # t-embedding 16
_TIME_SCALE = 250.0  # of log σ, and the slowest of its sinusoids: both as usual for diffusion
_SLOWEST = 10_000.0


def karras_scales() -> torch.Tensor:
    """(SCALES,), the greatest first: (σ_max^(1/ρ) + i/(N−1)·(σ_min^(1/ρ) − σ_max^(1/ρ)))^ρ."""
    ramp = torch.linspace(0, 1, SCALES)
    low, high = SIGMA_MIN ** (1 / RHO), SIGMA_MAX ** (1 / RHO)
    return (high + ramp * (low - high)) ** RHO


class ConsistencyHead(nn.Module):
    """(batch, features) and noise → actions."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.settings = settings
        axes, width = len(settings.axes), settings.width
        self.time = nn.Sequential(
            nn.Linear(TIME_FEATURES, TIME_WIDTH), nn.Mish(), nn.Linear(TIME_WIDTH, TIME_FEATURES)
        )
        self.trunk = Mlp(
            axes + TIME_FEATURES + settings.features, width, before=axes + TIME_FEATURES
        )
        self.denoised = nn.Linear(width, axes)
        outputs = len(GRIPPER_VALUES) * len(settings.gripper_columns)
        self.gripper_trunk = Mlp(settings.features, width) if outputs else None
        self.gripper = nn.Linear(width, outputs) if outputs else None

    def forward(
        self, features: torch.Tensor, noisy: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """f: (batch, axes) of noisy actions (batch, axes) at scales (batch,); not clipped."""
        sigma = sigma[:, None]
        root = (sigma.square() + SIGMA_DATA**2).sqrt()
        keep = SIGMA_DATA**2 / ((sigma - SIGMA_MIN).square() + SIGMA_DATA**2)
        change = (sigma - SIGMA_MIN) * SIGMA_DATA / root
        inputs = torch.cat([noisy / root, self.time(_sinusoids(sigma)), features], -1)
        return keep * noisy + change * self.denoised(self.trunk(inputs))

    def draw(self, features: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(batch, axes): actions in −1 … 1 from standard normal noise (batch, axes), in one step.

        No noise gives the same answer each time.
        """
        sigma = torch.full_like(features[:, 0], SIGMA_MAX)
        return self(features, SIGMA_MAX * noise, sigma).clamp(-1.0, 1.0)

    def grippers(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, grippers, choices) logits; no grippers where there is none."""
        if self.gripper is None or self.gripper_trunk is None:
            return features.new_zeros(len(features), 0, len(GRIPPER_VALUES))
        logits = self.gripper(self.gripper_trunk(features))
        return logits.unflatten(-1, (len(self.settings.gripper_columns), -1))

    def decision(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What it does without noise: (batch, axes) −1 … 1, and the grippers' logits."""
        noise = features.new_zeros(len(features), len(self.settings.axes))
        return self.draw(features, noise), self.grippers(features)


def _sinusoids(sigma: torch.Tensor) -> torch.Tensor:
    """(batch, TIME_FEATURES) of scales (batch, 1)."""
    half = TIME_FEATURES // 2
    steps = torch.arange(half, device=sigma.device) / (half - 1)
    angles = _TIME_SCALE * sigma.log() * torch.exp(-math.log(_SLOWEST) * steps)
    return torch.cat([angles.sin(), angles.cos()], -1)


class ConsistencyPolicy(ActingPolicy[ConsistencyHead]):
    """With such a head; its axes explore by the noise that they are drawn from, and by no other."""

    def decide(
        self, features: NDArray[np.float32], rng: np.random.Generator, *, deterministic: bool
    ) -> NDArray[np.float64]:
        shape = self.head.settings
        noise = np.zeros(len(shape.axes), np.float32)
        if not deterministic:
            noise = self.explorer.noise(rng, len(shape.axes)).astype(np.float32)
        with torch.inference_mode():
            seen = torch.from_numpy(features)[None]
            axes = self.head.draw(seen, torch.from_numpy(noise)[None])[0]
            best = self.head.grippers(seen)[0].argmax(-1).tolist()
        if not deterministic:
            best = self.explorer.choices(rng, best, len(GRIPPER_VALUES))
        return assemble(shape, axes.double().numpy(), best)

    def candidates(
        self, features: NDArray[np.float32], count: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """From other noise; grippers by their probabilities."""
        shape = self.head.settings
        noise = rng.standard_normal((count, len(shape.axes))).astype(np.float32)
        with torch.inference_mode():
            seen = torch.from_numpy(features)[None]
            axes = self.head.draw(seen.expand(count, -1), torch.from_numpy(noise))
            grippers = self.head.grippers(seen)[0]
        return drawn(shape, axes.double().numpy(), grippers, rng)
