"""Behaviour cloning (Pomerleau 1988): imitate demonstrations, and nothing else.

The data set is whole demonstrations: those that the starting policy came with, then those that are
recorded while it runs. A correction is no part of it, although the replay has it: cloning what
people did in the states that the policy leads to is HG-DAgger, and the two differ in nothing but
that, so that one measures what corrections are worth.

  head   |tanh μ(s) − a_h|² + CE(gripper)
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.bc import BcSettings
from robot_rl.learner.algorithm import (
    Budget,
    Counts,
    Losses,
    head_optimizer,
    load_training_state,
    training_state,
)
from robot_rl.learner.derived import FEATURES, IMITATED
from robot_rl.learner.losses import clone_loss
from robot_rl.learner.replay import Replay
from robot_rl.learner.sac import descend
from robot_rl.learner.samplers import Demonstrations
from robot_rl.policy.head import Head


class Bc(nn.Module):
    """The head and its optimizer."""

    columns = (FEATURES, IMITATED)
    sampler = Demonstrations()

    def __init__(self, settings: BcSettings, head: Head, seed: int, device: torch.device) -> None:
        super().__init__()
        self.settings = settings
        self.budget, self.counts = Budget.of(settings), Counts()
        self.head = head.train().requires_grad_(True)
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        self.optimizers = {"actor": head_optimizer(self.head, settings)}

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:
        while data.demonstrations and self.counts.actor < self.settings.offline_updates:
            yield self._clone(data, rng)

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One step on demonstrations; nothing while there is none."""
        self.counts.updates += 1
        return self._clone(data, rng) if data.demonstrations else {}

    def _clone(self, data: Replay, rng: np.random.Generator) -> Losses:
        batch = data.sample(self.settings.batch, rng, self.sampler, self.columns)
        loss = clone_loss(self.head, batch[FEATURES], batch[IMITATED]).mean()
        descend(self.optimizers["actor"], loss)
        self.counts.actor += 1
        return {"clone": loss.detach()}

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        load_training_state(self, self.optimizers, self.rng, tensors)
