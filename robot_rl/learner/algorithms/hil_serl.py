"""HIL-SERL (Luo et al. 2024) on frozen features, with the cloning term of HIL-ConRFT's actor loss.

Per environment step, `updates_per_step` critic updates, every `critic_to_actor`-th followed by one
of the actor, each on a batch of half D_on, half D_demo (RLPD, Ball et al. 2023):

  critics   y = r + γ·mask·min_{2 of K} Q'(s′, a′), a′ ~ π(s′); no entropy backup
            with return_floor: the greater of y and the return G that was reached from there, which
            is a lower bound of what can be reached (optimality tightening, He et al. 2017)
  grasp     (only with a gripper)
            y = r + penalty + γ·mask·Q_g'(s′, argmax Q_g(s′)), a double DQN over close, stay, open
  actor     q_weight·(α·log π(a|s) − mean_K Q(s, a) − Σ_g π(g|s)·Q_g(s, g))
            + clone_weight·(|tanh μ(s) − a_h|² + CE(gripper)) on a person's steps
            + self_imitation·(|tanh μ(s) − a|² + CE(gripper)) on its own steps with a return
              G > mean_K Q(s, tanh μ(s)) (self-imitation learning, Oh et al. 2018): what went well
              is held on to, also while the critics cannot tell yet why
  α         towards the target entropy, −dim(a)/2 unless the settings say otherwise

The head decides the gripper by its own logits, which follow the grasp critic: cloning can then hold
on to a start policy's grasp while the critic is still learning.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.hil_serl import HilSerlSettings
from robot_rl.learner.algorithm import (
    MODEL,
    Budget,
    Counts,
    Metrics,
    head_optimizer,
    load_training_state,
    training_state,
)
from robot_rl.learner.derived import (
    BOOTSTRAP,
    DECIDED,
    FEATURES,
    IMITATED,
    NEXT_FEATURES,
    PENALTY,
    REWARD,
    SHOWN,
    BatchColumn,
    MonteCarloReturn,
)
from robot_rl.learner.losses import clone_loss, gripper_choices
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.sac import descend
from robot_rl.learner.samplers import HalfAndHalf
from robot_rl.policy.head import GRIPPER_VALUES, Head
from robot_rl.policy.networks import Ensemble

CHOICES = len(GRIPPER_VALUES)


class HilSerl(nn.Module):
    """Head, critics, temperature and their optimizers; `update` is one step of learning."""

    columns: tuple[BatchColumn, ...] = (
        FEATURES,
        NEXT_FEATURES,
        DECIDED,
        REWARD,
        PENALTY,
        BOOTSTRAP,
        IMITATED,
        SHOWN,
    )

    def __init__(
        self, settings: HilSerlSettings, head: Head, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings, self.device = settings, device
        self.reached = MonteCarloReturn(settings.discount)
        if settings.self_imitation or settings.return_floor:
            self.columns = (*self.columns, self.reached)
        self.sampler = HalfAndHalf(balanced=settings.balance_outcomes)
        self.budget, self.counts = Budget.of(settings), Counts()
        self.head = head.train().requires_grad_(True)
        self.axes = list(head.settings.axes)
        self.target_entropy = settings.target_entropy * len(self.axes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critics = self._critics()
            self.grasp = self._grasp()
        self.target_critics = self._critics()
        self.target_critics.load_state_dict(self.critics.state_dict())
        self.target_critics.requires_grad_(False)
        self.target_grasp = self._grasp()
        if self.grasp is not None and self.target_grasp is not None:
            self.target_grasp.load_state_dict(self.grasp.state_dict())
            self.target_grasp.requires_grad_(False)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(settings.initial_temperature)))
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        grasp = [] if self.grasp is None else [*self.grasp.parameters()]
        self.optimizers = {
            name: torch.optim.Adam(parameters, settings.learning_rate, fused=True)
            for name, parameters in (
                ("critic", [*self.critics.parameters(), *grasp]),
                ("temperature", [self.log_temperature]),
            )
        }
        self.optimizers["actor"] = head_optimizer(self.head, settings)

    def _critics(self) -> Ensemble:
        inputs = self.head.settings.features + len(self.axes)
        return Ensemble(self.settings.critics, inputs, self.settings.width, 1)

    def _grasp(self) -> Ensemble | None:
        shape = self.head.settings
        outputs = CHOICES * len(shape.gripper_columns)
        return Ensemble(1, shape.features, self.settings.width, outputs) if outputs else None

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Metrics]:  # noqa: ARG002
        """Nothing: the starting policy was cloned from its demonstrations already."""
        return iter(())

    def update(self, data: Replay, rng: np.random.Generator) -> Metrics:
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
        if self.grasp is None:  # older states hold grasp networks that nothing trained
            grasps = (f"{MODEL}grasp.", f"{MODEL}target_grasp.")
            tensors = {key: tensors[key] for key in tensors if not key.startswith(grasps)}
        load_training_state(self, self.optimizers, self.rng, tensors)

    # ---- critics -------------------------------------------------------------------------------

    def update_critics(self, batch: Batch) -> Metrics:
        target, grasp_target = self.targets(batch)
        action = batch[DECIDED][:, self.axes]
        predicted = self.critics(torch.cat([batch[FEATURES], action], -1))[..., 0]
        critic_loss = (predicted - target).square().mean()
        loss = critic_loss
        losses: Metrics = {}
        if self.grasp is not None and grasp_target is not None:
            choices = gripper_choices(self.head, batch[DECIDED])
            values = _by_gripper(self.grasp(batch[FEATURES]))
            taken = values.gather(-1, choices[..., None])[..., 0]
            grasp_loss = (taken - grasp_target).square().mean()
            loss = loss + grasp_loss
            losses["grasp"] = grasp_loss.item()
        descend(self.optimizers["critic"], loss)
        self._follow(self.target_critics, self.critics)
        if self.grasp is not None and self.target_grasp is not None:
            self._follow(self.target_grasp, self.grasp)
        self.counts.critic += 1
        self.counts.updates += 1
        return losses | {"critic": critic_loss.item(), "q": predicted.mean().item()}

    @torch.no_grad()
    def targets(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(batch,) bootstrapped values of the critics, (batch, grippers) of the grasp critic."""
        settings = self.settings
        discount = settings.discount * batch[BOOTSTRAP]
        action, _, _ = self.sample(batch[NEXT_FEATURES])
        following = self.target_critics(torch.cat([batch[NEXT_FEATURES], action], -1))[..., 0]
        if settings.critic_subsample < settings.critics:
            chosen = torch.randperm(settings.critics, generator=self.rng)
            following = following[chosen[: settings.critic_subsample]]
        target = batch[REWARD] + discount * following.amin(0)
        if settings.return_floor:
            target = torch.maximum(target, batch[self.reached])
        if self.grasp is None or self.target_grasp is None:
            return target, None
        best = _by_gripper(self.grasp(batch[NEXT_FEATURES])).argmax(-1, keepdim=True)
        values = _by_gripper(self.target_grasp(batch[NEXT_FEATURES]))
        following = values.gather(-1, best)[..., 0]
        reward = (batch[REWARD] + batch[PENALTY])[:, None]
        return target, reward + discount[:, None] * following

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """See robot_rl.learner.fitness.Valued."""
        return self.critics(torch.cat([features, action], -1))[..., 0].mean(0)

    # ---- actor ---------------------------------------------------------------------------------

    def update_actor(self, batch: Batch, clone_weight: float) -> Metrics:
        settings = self.settings
        losses: Metrics = {}
        shown = batch[SHOWN]
        loss = torch.zeros((), device=self.device)
        if bool(shown.any()):
            clone = clone_loss(self.head, batch[FEATURES][shown], batch[IMITATED][shown]).mean()
            loss = loss + clone_weight * clone
            losses["clone"] = clone.item()
        if settings.self_imitation:
            better = self.better_than_expected(batch)
            losses["better"] = better.float().mean().item()
            if bool(better.any()):
                own = clone_loss(self.head, batch[FEATURES][better], batch[DECIDED][better])
                own = settings.self_imitation * own.sum() / len(better)
                loss, losses["own"] = loss + own, own.item()
        if self.counts.critic >= settings.critic_warmup_updates:
            action, log_probability, logits = self.sample(batch[FEATURES])
            value = self.critics(torch.cat([batch[FEATURES], action], -1))[..., 0].mean(0)
            temperature = self.log_temperature.detach().exp()
            improve = (temperature * log_probability - value).mean()
            if self.grasp is not None:
                with torch.no_grad():
                    grasp_value = _by_gripper(self.grasp(batch[FEATURES]))
                improve = improve - (logits.softmax(-1) * grasp_value).sum((-2, -1)).mean()
            loss = loss + settings.q_weight * improve
            losses["actor"] = improve.item()
            self._adapt_temperature(log_probability.detach())
            losses["entropy"] = -log_probability.mean().item()
            losses["temperature"] = temperature.item()
        if loss.requires_grad:
            descend(self.optimizers["actor"], loss)
        self.counts.actor += 1
        return losses

    @torch.no_grad()
    def better_than_expected(self, batch: Batch) -> torch.Tensor:
        """(batch,): the policy's own steps that led to more than the critics expect of it."""
        usual, _ = self.head.decision(batch[FEATURES])
        return ~batch[SHOWN].bool() & (batch[self.reached] > self.value(batch[FEATURES], usual))

    def sample(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Reparametrised action (batch, axes), its log-probability (batch,), logits of grippers."""
        output = self.head(features)
        # Drawn on the processor: a saved generator goes on wherever it is loaded.
        noise = torch.randn(output.mean.shape, generator=self.rng).to(self.device)
        raw = output.mean + output.log_std.exp() * noise
        gaussian = -0.5 * noise.square() - output.log_std - 0.5 * math.log(2 * math.pi)
        # log(1 − tanh²(u)) without cancellation
        squash = 2 * (math.log(2) - raw - nn.functional.softplus(-2 * raw))
        return torch.tanh(raw), (gaussian - squash).sum(-1), output.grippers

    def _adapt_temperature(self, log_probability: torch.Tensor) -> None:
        surplus = (-log_probability - self.target_entropy).mean()
        descend(self.optimizers["temperature"], self.log_temperature.exp() * surplus)

    @torch.no_grad()
    def _follow(self, target: nn.Module, source: nn.Module) -> None:
        for old, new in zip(target.parameters(), source.parameters(), strict=True):
            old.lerp_(new, self.settings.target_rate)


def _by_gripper(values: torch.Tensor) -> torch.Tensor:
    """(1, batch, grippers · choices) → (batch, grippers, choices)."""
    return values[0].unflatten(-1, (-1, CHOICES))
