"""RLPD (Ball et al. 2023): soft actor-critic on prior data and its own steps, with nobody helping.

Per environment step, `updates_per_step` critic updates, every `critic_to_actor`-th followed by one
of the actor, each on a batch of half D_on, half D_demo ("symmetric sampling"; here the prior data
are the demonstrations that the policy started from). LayerNorm in every critic keeps the values of
unseen actions bounded, an ensemble of which few are asked keeps them honest. There is no cloning
term: what the policy keeps of its start, it keeps because the critics agree.

  critics   y = r + γ·mask·(min_{Z of E} Q'(s′, a′) [− α·log π(a′|s′)]),  a′ ~ π(s′)
            with return_floor: the greater of y and the return that was reached from there
  grasp     (only with a gripper; RLPD has continuous actions only, this is HIL-SERL's)
            y = r + penalty + γ·mask·Q_g'(s′, argmax Q_g(s′)), a double DQN over close, stay, open
  actor     α·log π(a|s) − mean_E Q(s, a) + CE(gripper, π_0(·|s)·exp(Q_g(s) / τ)), π_0 the start
  α         towards the target entropy, −dim(a)/2 unless the settings say otherwise

`Residual` is the same on a frozen policy; what differs there are four methods: `begin`, `seen`,
`executed` and `gripper_prior`.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.rlpd import RlpdSettings
from robot_rl.learner.algorithm import (
    MODEL,
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
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.policy.residual_head import ResidualHead

_START = f"{MODEL}start."


class Rlpd(nn.Module):
    """Head, critics, temperature and their optimizers; `update` is one step of learning."""

    columns: tuple[BatchColumn, ...] = NEEDED
    sampler = HalfAndHalf()

    def __init__(
        self, settings: RlpdSettings, head: Head | ResidualHead, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings = settings
        self.budget, self.counts = Budget.of(settings), Counts()
        self.constrain: Constrain = unconstrained
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head, shape = self.begin(head)
            self.critics = Critics(shape, members=settings.critics, width=settings.width)
        target_entropy = settings.target_entropy * len(shape.axes)
        self.temperature = Temperature(settings.initial_temperature, target_entropy)
        self.floor = MonteCarloReturn(settings.discount) if settings.return_floor else None
        if self.floor is not None:
            self.columns = (*NEEDED, self.floor)
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        self.optimizers = {
            name: torch.optim.Adam(parameters, settings.learning_rate, fused=True)
            for name, parameters in (
                ("critic", [*self.critics.trained]),
                ("temperature", [*self.temperature.parameters()]),
            )
        }
        self.optimizers["actor"] = head_optimizer(self.head, settings)

    # ---- what differs in a residual --------------------------------------------------------------

    def begin(self, head: Head | ResidualHead) -> tuple[Head | ResidualHead, HeadSettings]:
        """What is trained of a given head, and the shape of the critics; draws are seeded here."""
        self.start = copy.deepcopy(head).requires_grad_(False)
        return head.train().requires_grad_(True), head.settings

    def seen(self, features: torch.Tensor) -> torch.Tensor:
        """The state as the critics see it."""
        return features

    def executed(self, features: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """(batch, axes): what the arm does where the head drew that."""
        del features
        return drawn

    def gripper_prior(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, grippers, choices): logits that the gripper keeps while its values say nothing.

        The start's.
        """
        return self.start(features).grippers

    # ----------------------------------------------------------------------------------------------

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:  # noqa: ARG002
        """Nothing: RLPD has no offline stage."""
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
        seen = self.with_seen(batch)
        grasp_target = self.critics.grasp_target(seen, self.settings.discount)
        loss, grasp_loss, values = self.critics.errors(seen, self.target(batch), grasp_target)
        descend(self.optimizers["critic"], loss + grasp_loss)
        self.critics.follow(self.settings.target_rate)
        self.counts.critic += 1
        return {"critic": loss.detach(), "grasp": grasp_loss.detach(), "q": values.detach().mean()}

    def with_seen(self, batch: Batch) -> Batch:
        """With its states as the critics see them."""
        columns = {name: self.seen(batch[name]) for name in (FEATURES, NEXT_FEATURES)}
        return replace(batch, columns={**batch.columns, **columns})

    @torch.no_grad()
    def target(self, batch: Batch) -> torch.Tensor:
        """(batch,): what the values of the executed actions should be."""
        features = batch[NEXT_FEATURES]
        following = sample(self.head, features, self.rng)
        action = self.executed(features, following.action)
        values = self.critics.slow_of(self.seen(features), action)
        value = least_of(values, self.settings.critic_subsample, self.rng)
        if self.settings.backup_entropy:
            value = value - self.temperature.value * following.log_probability
        return bootstrapped(batch, self.settings.discount, value, self.floor)

    def update_actor(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        actor_loss, grip_loss, log_probability = self.actor_loss(features)
        descend(self.optimizers["actor"], actor_loss + grip_loss)
        descend(self.optimizers["temperature"], self.temperature.loss(log_probability))
        self.counts.actor += 1
        return {
            "actor": actor_loss.detach(),
            "gripper": grip_loss.detach(),
            "entropy": -log_probability.detach().mean(),
            "temperature": self.temperature.value,
        }

    def actor_loss(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of the axes, of the grippers, and log π of what was drawn (batch,)."""
        drawn, seen = sample(self.head, features, self.rng), self.seen(features)
        action = self.executed(features, drawn.action)
        value = self.critics.of(seen, action).mean(0)
        value = self.constrain(value, features, action, drawn.grippers)
        improve = (self.temperature.value * drawn.log_probability - value).mean()
        values = self.critics.grasps(seen)
        with torch.no_grad():
            prior = self.gripper_prior(features)
        grip = follow_values(drawn.grippers, values, self.settings.gripper_temperature, prior)
        return improve, grip.mean(), drawn.log_probability

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """See robot_rl.learner.fitness.Valued."""
        return self.critics.of(self.seen(features), action).mean(0)

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """A state from before it held the start goes on from the start that the task names."""
        start: dict[str, torch.Tensor] = {}
        if not any(key.startswith(_START) for key in tensors):
            start = {key: each for key, each in self.state().items() if key.startswith(_START)}
        load_training_state(self, self.optimizers, self.rng, start | dict(tensors))
