"""Hi-ORS (Lu et al. 2025, arXiv 2510.26406): online rejection sampling, with a person in the loop.

The policy and the person act together; an episode that fails is rejected, one that succeeds is
accepted with all of its steps, whoever drove. Training is supervised, on what was accepted: no
critic has to be right, and the reward, 0 or 1 for a whole episode, is nothing but the filter.

  accepted  half from episodes of D_on that succeeded by their newest label, half from D_demo:
            demonstrations, and corrections in whatever episode they were given
  head      |tanh μ(s) − a|² + CE(gripper),  a the executed action

The paper's policy is a flow matching one; this head is a Gaussian of fixed spread, for which the
same objective, the likelihood of what was accepted, is the squared error.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.hi_ors import HiOrsSettings
from robot_rl.learner.algorithm import (
    Budget,
    Counts,
    Losses,
    head_optimizer,
    load_training_state,
    training_state,
)
from robot_rl.learner.derived import DECIDED, FEATURES
from robot_rl.learner.losses import clone_loss
from robot_rl.learner.replay import Replay
from robot_rl.learner.sac import descend
from robot_rl.learner.samplers import Accepted
from robot_rl.policy.head import Head


class HiOrs(nn.Module):
    """The head and its optimizer."""

    columns = (FEATURES, DECIDED)
    sampler = Accepted()

    def __init__(
        self, settings: HiOrsSettings, head: Head, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings = settings
        self.budget, self.counts = Budget.of(settings), Counts()
        self.head = head.train().requires_grad_(True)
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        self.optimizers = {"actor": head_optimizer(self.head, settings)}

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:  # noqa: ARG002
        """Nothing: the starting policy was cloned from its demonstrations already."""
        return iter(())

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One step on what was accepted; nothing while nothing was."""
        self.counts.updates += 1
        if not data.accepted and not data.demonstrated:
            return {}
        batch = data.sample(self.settings.batch, rng, self.sampler, self.columns)
        loss = clone_loss(self.head, batch[FEATURES], batch[DECIDED]).mean()
        descend(self.optimizers["actor"], loss)
        self.counts.actor += 1
        return {"accepted": loss.detach()}

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        load_training_state(self, self.optimizers, self.rng, tensors)
