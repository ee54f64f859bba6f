"""HIL-SERL (Luo et al. 2024) on frozen features, with the cloning term of HIL-ConRFT's actor loss.

Per environment step, `updates_per_step` critic updates, every `critic_to_actor`-th followed by one
of the actor, each on a batch of half D_on, half D_demo (RLPD, Ball et al. 2023):

  critics   y = r + γ·mask·min_{2 of K} Q'(s′, a′), a′ ~ π(s′); no entropy backup
            with return_floor: the greater of y and the return that was reached from there
  grasp     (only with a gripper)
            y = r + penalty + γ·mask·Q_g'(s′, argmax Q_g(s′)), a double DQN over close, stay, open
  actor     q_weight·(α·log π(a|s) − mean_K Q(s, a) − Σ_g π(g|s)·Q_g(s, g))
            + clone_weight·(|tanh μ(s) − a_h|² + CE(gripper)) on a person's steps
  α         towards the target entropy, −dim(a)/2 unless the settings say otherwise

The head decides the gripper by its own logits, which follow the grasp critic: cloning can then hold
on to a start policy's grasp while the critic is still learning.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.hil_serl import HilSerlSettings
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
from robot_rl.learner.derived import (
    FEATURES,
    IMITATED,
    NEXT_FEATURES,
    SHOWN,
    BatchColumn,
    MonteCarloReturn,
)
from robot_rl.learner.device import fixed_shapes
from robot_rl.learner.losses import ShownRows, clone_loss
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.sac import Temperature, descend, sample
from robot_rl.learner.samplers import HalfAndHalf
from robot_rl.policy.head import Head

# Names of networks in states that were saved before they became one module.
_OLDER = {
    "critics.": "critics.values.",
    "target_critics.": "critics.slow_values.",
    "grasp.": "critics.grasp.",
    "target_grasp.": "critics.slow_grasp.",
    "log_temperature": "temperature.log",
}


class HilSerl(nn.Module):
    """Head, critics, temperature and their optimizers; `update` is one step of learning."""

    columns: tuple[BatchColumn, ...] = (*NEEDED, IMITATED, SHOWN)

    def __init__(
        self, settings: HilSerlSettings, head: Head, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings, self.device = settings, device
        self.fixed = fixed_shapes(settings.compute, device)
        self.floor = MonteCarloReturn(settings.discount) if settings.return_floor else None
        if self.floor is not None:
            self.columns = (*self.columns, self.floor)
        self.sampler = HalfAndHalf(balanced=settings.balance_outcomes)
        self.budget, self.counts = Budget.of(settings), Counts()
        self.constrain: Constrain = unconstrained
        self.head = head.train().requires_grad_(True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critics = Critics(head.settings, members=settings.critics, width=settings.width)
        target_entropy = settings.target_entropy * len(head.settings.axes)
        self.temperature = Temperature(settings.initial_temperature, target_entropy)
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

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:  # noqa: ARG002
        """Nothing: the starting policy was cloned from its demonstrations already."""
        return iter(())

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One critic update, and one of the actor when it is due. Returns the losses; nothing while
        there is nothing to learn from.
        """
        if not data.online and not data.demonstrated:
            self.counts.updates += 1
            return {}
        batch = data.sample(self.settings.batch, rng, self.sampler, self.columns)
        losses = self.update_critics(batch)
        if self.counts.critic % self.settings.critic_to_actor == 0:
            losses |= self.update_actor(batch, self.clone_weight(data.received))
        return losses

    def clone_weight(self, received: int) -> float:
        """Of the cloning term after so many received steps."""
        settings = self.settings
        if not settings.clone_half_life_steps:
            return settings.clone_weight
        halved = settings.clone_weight * 0.5 ** (received / settings.clone_half_life_steps)
        return max(halved, min(settings.clone_weight_end, settings.clone_weight))

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        renamed = _renamed(tensors)
        if self.critics.grasp is None:  # older states hold grasp networks that nothing trained
            grasps = (f"{MODEL}critics.grasp.", f"{MODEL}critics.slow_grasp.")
            renamed = {key: renamed[key] for key in renamed if not key.startswith(grasps)}
        load_training_state(self, self.optimizers, self.rng, renamed)

    # ---- critics -------------------------------------------------------------------------------

    def update_critics(self, batch: Batch) -> dict[str, torch.Tensor]:
        grasp_target = self.critics.grasp_target(batch, self.settings.discount)
        loss, grasp_loss, values = self.critics.errors(batch, self.target(batch), grasp_target)
        descend(self.optimizers["critic"], loss + grasp_loss)
        self.critics.follow(self.settings.target_rate)
        self.counts.critic += 1
        self.counts.updates += 1
        return {"critic": loss.detach(), "grasp": grasp_loss.detach(), "q": values.detach().mean()}

    @torch.no_grad()
    def target(self, batch: Batch) -> torch.Tensor:
        """(batch,): what the values of the executed actions should be."""
        following = sample(self.head, batch[NEXT_FEATURES], self.rng)
        values = self.critics.slow_of(batch[NEXT_FEATURES], following.action)
        value = least_of(values, self.settings.critic_subsample, self.rng)
        return bootstrapped(batch, self.settings.discount, value, self.floor)

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """See robot_rl.learner.fitness.Valued."""
        return self.critics.of(features, action).mean(0)

    # ---- actor ---------------------------------------------------------------------------------

    def update_actor(self, batch: Batch, clone_weight: float) -> dict[str, torch.Tensor]:
        losses: dict[str, torch.Tensor] = {}
        loss = torch.zeros((), device=self.device)
        if batch.count_shown():
            rows = ShownRows(batch, fixed=self.fixed)
            clone = rows.mean(clone_loss(self.head, rows.features, rows.action))
            loss = loss + clone_weight * clone
            losses["clone"] = clone.detach()
        if self.counts.critic >= self.settings.critic_warmup_updates:
            improve, log_probability = self.actor_loss(batch[FEATURES])
            loss = loss + self.settings.q_weight * improve
            losses["actor"] = improve.detach()
            losses["entropy"] = -log_probability.detach().mean()
            losses["temperature"] = self.temperature.value
            descend(self.optimizers["temperature"], self.temperature.loss(log_probability))
        if loss.requires_grad:
            descend(self.optimizers["actor"], loss)
        self.counts.actor += 1
        return losses

    def actor_loss(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Without the cloning term, and log π of what was drawn (batch,)."""
        drawn = sample(self.head, features, self.rng)
        value = self.critics.of(features, drawn.action).mean(0)
        value = self.constrain(value, features, drawn.action, drawn.grippers)
        improve = (self.temperature.value * drawn.log_probability - value).mean()
        with torch.no_grad():
            grasps = self.critics.grasps(features)
        grip = (drawn.grippers.softmax(-1) * grasps).sum((-2, -1)).mean()
        return improve - grip, drawn.log_probability


def _renamed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state as it is saved now."""
    if f"{MODEL}log_temperature" not in tensors:
        return dict(tensors)
    renamed: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        name = key.removeprefix(MODEL)
        old = next((old for old in _OLDER if key != name and name.startswith(old)), None)
        renamed[key if old is None else f"{MODEL}{_OLDER[old]}{name.removeprefix(old)}"] = tensor
    return renamed
