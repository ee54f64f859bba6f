"""HG-DAgger (Kelly et al. 2019): imitate what people did, on the states that the policy leads to.

The person decides when to take over (the human gate); what they did then, and the demonstrations,
are the whole data set. Every update is one of supervised learning on a batch of it:

  head   |tanh μ(s) − a_h|² + CE(gripper)
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.hg_dagger import HgDaggerSettings
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
from robot_rl.learner.samplers import Demonstrated
from robot_rl.policy.head import Head


class HgDagger(nn.Module):
    """The head and its optimizer."""

    columns = (FEATURES, IMITATED)
    sampler = Demonstrated()

    def __init__(
        self, settings: HgDaggerSettings, head: Head, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings = settings
        self.budget, self.counts = Budget.of(settings), Counts()
        self.head = head.train().requires_grad_(True)
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        self.optimizers = {"actor": head_optimizer(self.head, settings)}

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:
        while data.demonstrated and self.counts.updates < self.settings.offline_updates:
            yield self.update(data, rng)

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One step on human actions; nothing while nobody has shown any."""
        self.counts.updates += 1
        if not data.demonstrated:
            return {}
        batch = data.sample(self.settings.batch, rng, self.sampler, self.columns)
        loss = clone_loss(self.head, batch[FEATURES], batch[IMITATED]).mean()
        descend(self.optimizers["actor"], loss)
        self.counts.actor += 1
        return {"clone": loss.detach()}

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        load_training_state(self, self.optimizers, self.rng, tensors)
