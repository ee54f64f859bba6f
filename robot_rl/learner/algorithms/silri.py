"""SiLRI (Zhao et al. 2025, arXiv 2512.24288): imitate people only where they are certain.

Maximise Q(s, π(s)) subject to |π(s) − μ_h(s)|² ≤ ε(s) in every state, where ε(s) is the uncertainty
of what people do there. A multiplier λ(s) ≥ 0 is learned for each state: it grows where a person is
certain and the policy does something else, and goes to zero where the policy is within bounds, so
that help which is noisy or contradictory does not hold the policy back.

  human     −log N(a_h; μ_h(s), σ_h(s)) and cross-entropy of the gripper, on a person's steps
  critics   y = r + γ·mask·min_K Q'(s′, a′), a′ ~ π'(s′), a slow copy of the head; no entropy
  λ         −λ(s)·(|π(s) − μ_h(s)|² − Σσ_h(s) − tolerance),  λ = softplus of a network
  actor     (−min_K Q(s, π(s)) + λ(s)·|π(s) − μ_h(s)|²) / (1 + λ(s)),  π(s) = tanh μ(s)
  gripper   (CE(softmax(Q_g(s) / τ)) + λ(s)·CE(p_h(s))) / (1 + λ(s))

As in the authors' code, but for two things: several human models in place of one (robot_rl.learner.
human_model), and a gripper that has a value (theirs imitates, and nothing else).
"""

import copy
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.silri import SilriSettings
from robot_rl.learner.algorithm import (
    Budget,
    Counts,
    Losses,
    head_optimizer,
    load_training_state,
    training_state,
)
from robot_rl.learner.critics import NEEDED, Constrain, Critics, bootstrapped, follow, unconstrained
from robot_rl.learner.derived import FEATURES, IMITATED, NEXT_FEATURES, SHOWN
from robot_rl.learner.device import fixed_shapes
from robot_rl.learner.human_model import HumanAction, HumanModel
from robot_rl.learner.losses import ShownRows
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.sac import descend, follow_values, sample
from robot_rl.learner.samplers import HalfAndHalf
from robot_rl.policy.head import Head, HeadOutput
from robot_rl.policy.networks import Ensemble


class Multiplier(nn.Module):
    """λ(s) ≥ 0, the same everywhere at first: log 2."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.network = Ensemble(1, features, width, 1)
        nn.init.zeros_(self.network.weights[-1])
        nn.init.zeros_(self.network.biases[-1])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.softplus(self.network(features)[0, :, 0])


class Silri(nn.Module):
    """Head, critics, human models, multiplier and their optimizers."""

    columns = (*NEEDED, IMITATED, SHOWN)
    sampler = HalfAndHalf()

    def __init__(
        self, settings: SilriSettings, head: Head, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings = settings
        self.fixed = fixed_shapes(settings.compute, device)
        self.budget, self.counts = Budget.of(settings), Counts()
        self.constrain: Constrain = unconstrained
        self.head = head.train().requires_grad_(True)
        shape, width = head.settings, settings.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critics = Critics(shape, members=settings.critics, width=width)
            self.human = HumanModel(shape, members=settings.human_models, width=width)
            self.multiplier = Multiplier(shape.features, width)
        self.slow_head = copy.deepcopy(self.head).requires_grad_(False)
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        self.optimizers = {
            name: torch.optim.Adam(parameters, rate, fused=True)
            for name, parameters, rate in (
                ("critic", [*self.critics.trained], settings.learning_rate),
                ("human", [*self.human.parameters()], settings.learning_rate),
                ("multiplier", [*self.multiplier.parameters()], settings.multiplier_learning_rate),
            )
        }
        self.optimizers["actor"] = head_optimizer(self.head, settings)

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:  # noqa: ARG002
        """Nothing: the human models learn while the critics do, before the actor begins."""
        return iter(())

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One update of critics and human models, and one of the actor when it is due. Returns the
        losses; nothing while there is nothing to learn from.
        """
        self.counts.updates += 1
        if not data.online and not data.demonstrated:
            return {}
        batch = data.sample(self.settings.batch, rng, self.sampler, self.columns)
        losses = self.update_critics(batch) | self.update_human(batch)
        due = self.counts.critic % self.settings.critic_to_actor == 0
        if due and self.counts.critic >= self.settings.critic_warmup_updates:
            losses |= self.update_actor(batch)
        return losses

    def update_critics(self, batch: Batch) -> dict[str, torch.Tensor]:
        grasp_target = self.critics.grasp_target(batch, self.settings.discount)
        loss, grasp_loss, values = self.critics.errors(batch, self.target(batch), grasp_target)
        descend(self.optimizers["critic"], loss + grasp_loss)
        self.critics.follow(self.settings.target_rate)
        self.counts.critic += 1
        return {"critic": loss.detach(), "grasp": grasp_loss.detach(), "q": values.detach().mean()}

    @torch.no_grad()
    def target(self, batch: Batch) -> torch.Tensor:
        """(batch,): what the values of the executed actions should be."""
        following = sample(self.slow_head, batch[NEXT_FEATURES], self.rng)
        values = self.critics.slow_of(batch[NEXT_FEATURES], following.action)
        return bootstrapped(batch, self.settings.discount, values.amin(0))

    def update_human(self, batch: Batch) -> dict[str, torch.Tensor]:
        if not batch.count_shown():
            return {}
        rows = ShownRows(batch, fixed=self.fixed)
        loss = rows.mean(self.human.errors(rows.features, rows.action))
        descend(self.optimizers["human"], loss)
        return {"human": loss.detach()}

    def update_actor(self, batch: Batch) -> dict[str, torch.Tensor]:
        """While nobody has shown anything there is no constraint: λ = 0."""
        features = batch[FEATURES]
        person = self.human.predict(features) if batch.count_shown() else None
        output = self.head(features)
        multiplier = torch.zeros_like(features[:, 0])
        losses: dict[str, torch.Tensor] = {}
        if person is not None:
            excess = self.excess(output, person).detach()
            multiplier = self.multiplier(features)
            descend(self.optimizers["multiplier"], -(multiplier * excess).mean())
            multiplier = multiplier.detach()
            losses = {"excess": excess.mean(), "multiplier": multiplier.mean()}
        loss = self.actor_loss(features, output, person, multiplier)
        descend(self.optimizers["actor"], loss)
        follow(self.slow_head, self.head, self.settings.target_rate)
        self.counts.actor += 1
        return losses | {"actor": loss.detach()}

    def excess(self, output: HeadOutput, person: HumanAction) -> torch.Tensor:
        """(batch,): by how much the policy is farther from the person than it may be."""
        distance = (torch.tanh(output.mean) - person.mean).square().sum(-1)
        return distance - person.std.sum(-1) - self.settings.tolerance

    def actor_loss(
        self,
        features: torch.Tensor,
        output: HeadOutput,
        person: HumanAction | None,
        multiplier: torch.Tensor,
    ) -> torch.Tensor:
        """The mean over the batch, of the axes and the grippers."""
        action = torch.tanh(output.mean)
        value = self.critics.of(features, action).amin(0)
        improve = -self.constrain(value, features, action, output.grippers)
        values = self.critics.grasps(features)
        improve = improve + follow_values(
            output.grippers, values, self.settings.gripper_temperature
        )
        if person is None:
            return improve.mean()
        choice = -(person.grippers * output.grippers.log_softmax(-1)).sum((-2, -1))
        imitate = (action - person.mean).square().sum(-1) + choice
        return ((improve + multiplier * imitate) / (1 + multiplier)).mean()

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """See robot_rl.learner.fitness.Valued."""
        return self.critics.of(features, action).mean(0)

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        load_training_state(self, self.optimizers, self.rng, tensors)
