"""A per-step residual on a frozen policy, by reinforcement learning (ResFiT, arXiv 2509.19301; PLD,
arXiv 2511.00091). The policy that the session started with stays as it is; a small head learns what
to add to its action b = base(s), off-policy, from its own steps, corrections and demonstrations.

  a = clip(b + scale·δ, −1, 1),  δ = tanh(μ + σ·z) of (s, b)   (robot_rl.policy.residual_head)

Half D_on, half D_demo in every batch, as RLPD. The frozen policy's action is a part of the state:

  critics   y = r + γ·mask·(min_{Z of E} Q'(s′, b′, a′) [− α·log π(δ′|s′, b′)])
            with return_floor: the greater of y and the return that was reached from there
  grasp     (only with a gripper) y = r + penalty + γ·mask·Q_g'(s′, b′, argmax Q_g(s′, b′))
  actor     α·log π(δ|s, b) − mean_E Q(s, b, a) + CE(gripper, softmax(PRIOR·[b's order] + Q_g/τ))
  α         towards the target entropy

The gripper's target is the best order that stays near the frozen policy's (its divergence weighs
τ): where the values say nothing yet, it does what the frozen policy does. The frozen policy's
action is not recorded: it is computed from the features, as the robot does it.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.residual import ResidualSettings
from robot_rl.learner.algorithm import (
    Budget,
    Counts,
    Losses,
    head_optimizer,
    load_training_state,
    training_state,
)
from robot_rl.learner.critics import (
    NEEDED,
    Constrain,
    Critics,
    bootstrapped,
    least_of,
    unconstrained,
)
from robot_rl.learner.derived import FEATURES, NEXT_FEATURES, BatchColumn, MonteCarloReturn
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.sac import Temperature, descend, follow_values, sample
from robot_rl.learner.samplers import HalfAndHalf
from robot_rl.policy.head import Head
from robot_rl.policy.residual_head import KIND, PRIOR, ResidualHead


class Residual(nn.Module):
    """Head, critics, temperature and their optimizers; `update` is one step of learning."""

    columns: tuple[BatchColumn, ...] = NEEDED
    sampler = HalfAndHalf()

    def __init__(
        self, settings: ResidualSettings, head: Head | ResidualHead, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings = settings
        self.budget, self.counts = Budget.of(settings), Counts()
        self.constrain: Constrain = unconstrained
        shape = head.settings.model_copy(update={"kind": KIND, "scale": settings.scale})
        seen = shape.features + len(shape.axes) + len(shape.gripper_columns)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = ResidualHead(shape, copy.deepcopy(head)) if isinstance(head, Head) else head
            self.critics = Critics(
                shape.model_copy(update={"features": seen}),
                members=settings.critics,
                width=settings.width,
            )
        self.head.settings = shape  # another scale in the task file counts from now on
        self.head.train().requires_grad_(True)
        self.head.reference.eval().requires_grad_(False)
        self.temperature = Temperature(
            settings.initial_temperature, settings.target_entropy * len(shape.axes)
        )
        self.floor = MonteCarloReturn(settings.discount) if settings.return_floor else None
        if self.floor is not None:
            self.columns = (*NEEDED, self.floor)
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        rate = settings.learning_rate
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "critic": torch.optim.Adam(self.critics.trained, rate, fused=True),
            "temperature": torch.optim.Adam(self.temperature.parameters(), rate, fused=True),
            "actor": head_optimizer(self.head, settings),
        }

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:  # noqa: ARG002
        """Nothing: untrained, the head does what the frozen policy does."""
        return iter(())

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One critic update, and one of the actor when it is due. Returns the losses; nothing while
        there is nothing to learn from.
        """
        self.counts.updates += 1
        if not data.online and not data.demonstrated:
            return {}
        batch = data.sample(self.settings.batch, rng, self.sampler, self.columns)
        losses = self.update_critics(batch)
        due = self.counts.critic % self.settings.critic_to_actor == 0
        if due and self.counts.critic >= self.settings.critic_warmup_updates:
            losses |= self.update_actor(batch[FEATURES])
        return losses

    def update_critics(self, batch: Batch) -> dict[str, torch.Tensor]:
        seen = self.with_base(batch)
        grasp_target = self.critics.grasp_target(seen, self.settings.discount)
        loss, grasp_loss, values = self.critics.errors(seen, self.target(batch), grasp_target)
        descend(self.optimizers["critic"], loss + grasp_loss)
        self.critics.follow(self.settings.target_rate)
        self.counts.critic += 1
        return {"critic": loss.detach(), "grasp": grasp_loss.detach(), "q": values.detach().mean()}

    def with_base(self, batch: Batch) -> Batch:
        """Its states with the frozen policy's actions in them."""
        columns = {name: self.head.seen(batch[name]) for name in (FEATURES, NEXT_FEATURES)}
        return replace(batch, columns={**batch.columns, **columns})

    @torch.no_grad()
    def target(self, batch: Batch) -> torch.Tensor:
        """(batch,): what the values of the executed actions should be."""
        features = batch[NEXT_FEATURES]
        drawn = sample(self.head, features, self.rng)
        action = self.head.corrected(features, drawn.action)
        values = self.critics.slow_of(self.head.seen(features), action)
        value = least_of(values, self.settings.critic_subsample, self.rng)
        if self.settings.backup_entropy:
            value = value - self.temperature.value * drawn.log_probability
        return bootstrapped(batch, self.settings.discount, value, self.floor)

    def update_actor(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        improve, grip, log_probability = self.actor_loss(features)
        descend(self.optimizers["actor"], improve + grip)
        descend(self.optimizers["temperature"], self.temperature.loss(log_probability))
        self.counts.actor += 1
        return {
            "actor": improve.detach(),
            "gripper": grip.detach(),
            "entropy": -log_probability.detach().mean(),
            "temperature": self.temperature.value,
        }

    def actor_loss(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of the axes, of the grippers, and log π of the correction that was drawn (batch,)."""
        drawn, seen = sample(self.head, features, self.rng), self.head.seen(features)
        action = self.head.corrected(features, drawn.action)
        value = self.critics.of(seen, action).mean(0)
        value = self.constrain(value, features, action, drawn.grippers)
        improve = (self.temperature.value * drawn.log_probability - value).mean()
        prior = PRIOR * self.head.orders(features)
        values, tau = self.critics.grasps(seen), self.settings.gripper_temperature
        grip = follow_values(drawn.grippers, values, tau, prior)
        return improve, grip.mean(), drawn.log_probability

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """See robot_rl.learner.fitness.Valued."""
        return self.critics.of(self.head.seen(features), action).mean(0)

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        load_training_state(self, self.optimizers, self.rng, tensors)
