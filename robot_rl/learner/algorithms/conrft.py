"""ConRFT (Chen et al. 2025, arXiv 2502.05450): a consistency policy, trained offline on
demonstrations with a calibrated critic, then online with a person in the loop.

  offline   (Cal-ConRFT) on demonstrations
    critics   (Q(s, a) − y)² + α·[τ·log mean exp(Q̄/τ) − Q(s, a)], Q̄ over the recorded action and,
              raised to the Monte Carlo return where they are below it, 10 uniform actions, 10 of
              π(s) and 10 of π(s′) (Cal-QL, Nakamoto et al. 2023): what was never tried is worth
              less than what was, but never less than what was reached
    actor     β·consistency + η·(−mean_K Q(s, π(s)))
  online    (HIL-ConRFT) on half D_on, half D_demo: plain TD, the same actor with other weights
    critics   y = r + γ·mask·min_K Q'(s′, π(s′))

  consistency   (1/σ² + 1/σ_d²)·|f(a + σz, σ | s) − a|², σ drawn from the scales (Karras weights)
  grasp         (only with a gripper) HIL-SERL's, offline with the same conservative term over its
                choices; the logits are cloned with β and follow softmax(Q_g / τ_g) with η

In the released code a gripper is another continuous column; online it also clones the robot's own
actions, and not only a person's; and f is clipped while it is trained, which leaves no gradient
outside −1 … 1.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.conrft import ConrftSettings
from robot_rl.learner.algorithm import (
    Budget,
    Counts,
    Losses,
    head_optimizer,
    load_training_state,
    training_state,
)
from robot_rl.learner.critics import NEEDED, Constrain, Critics, bootstrapped, unconstrained
from robot_rl.learner.derived import (
    DECIDED,
    FEATURES,
    IMITATED,
    NEXT_FEATURES,
    SHOWN,
    MonteCarloReturn,
)
from robot_rl.learner.device import fixed_shapes, send
from robot_rl.learner.losses import ShownRows
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.sac import descend, follow_values
from robot_rl.learner.samplers import Demonstrated, HalfAndHalf
from robot_rl.learner.share import own_part
from robot_rl.policy.consistency_head import (
    KIND,
    SCALES,
    SIGMA_DATA,
    ConsistencyHead,
    karras_scales,
)
from robot_rl.policy.head import choices_of, picked
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.manifest import BadCheckpoint


class Conrft(nn.Module):
    """Head, critics and their optimizers."""

    columns = (*NEEDED, IMITATED, SHOWN)
    sampler = HalfAndHalf()

    def __init__(
        self, settings: ConrftSettings, head: AnyHead, seed: int, device: torch.device
    ) -> None:
        super().__init__()
        self.settings, self.device = settings, device
        self.fixed = fixed_shapes(settings.compute, device)
        self.budget, self.counts = Budget.of(settings), Counts()
        self.constrain: Constrain = unconstrained
        self.returns = MonteCarloReturn(settings.discount)
        shape = head.settings.model_copy(update={"kind": KIND})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.critics = Critics(shape, members=settings.critics, width=settings.width)
            new = ConsistencyHead(shape)
        self._knows_nothing = not isinstance(head, ConsistencyHead)
        self.head = head if isinstance(head, ConsistencyHead) else new
        self.head.train().requires_grad_(True)
        self.scales = karras_scales()
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        critic = torch.optim.Adam(self.critics.trained, settings.learning_rate, fused=True)
        self.optimizers = {"critic": critic, "actor": head_optimizer(self.head, settings)}

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:
        """Cal-ConRFT on the demonstrations. Raises BadCheckpoint: the head is new, and there is
        nothing to clone it from.
        """
        if self._knows_nothing and not data.demonstrated:
            raise BadCheckpoint(
                "conrft trains a consistency head of its own on the demonstrations of the starting "
                "policy, and it came with none: make one with `robot-rl clone`, and name its "
                "folder in the task file (policy.folder)"
            )
        settings, columns = self.settings, (*self.columns, self.returns)
        while data.demonstrated and self.counts.critic < settings.offline_updates:
            batch = data.sample(settings.batch, rng, Demonstrated(), columns)
            losses = self.update_critics(batch, settings.conservatism)
            yield losses | self.update_actor(
                batch, settings.offline_clone_weight, settings.offline_q_weight
            )

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One critic update, and one of the actor when it is due. Returns the losses; nothing while
        there is nothing to learn from.
        """
        self.counts.updates += 1
        if not data.online and not data.demonstrated:
            return {}
        settings = self.settings
        batch = data.sample(settings.batch, rng, self.sampler, self.columns)
        losses = self.update_critics(batch)
        if self.counts.critic % settings.critic_to_actor == 0:
            losses |= self.update_actor(batch, settings.clone_weight, settings.q_weight)
        return losses

    # ---- critics -------------------------------------------------------------------------------

    def update_critics(self, batch: Batch, conservatism: float = 0.0) -> dict[str, torch.Tensor]:
        """`conservatism` needs the Monte Carlo returns in the batch."""
        grasp_target = self.critics.grasp_target(batch, self.settings.discount)
        loss, grasp_loss, values = self.critics.errors(batch, self.target(batch), grasp_target)
        losses = {"critic": loss.detach(), "grasp": grasp_loss.detach()}
        losses["q"] = values.detach().mean()
        if conservatism:
            gap, grasp_gap = self.gaps(batch, values)
            loss = loss + conservatism * (gap + grasp_gap)
            losses["gap"] = gap.detach()
        descend(self.optimizers["critic"], loss + grasp_loss)
        self.critics.follow(self.settings.target_rate)
        self.counts.critic += 1
        return losses

    @torch.no_grad()
    def target(self, batch: Batch) -> torch.Tensor:
        """(batch,): what the values of the executed actions should be."""
        action = self.drawn(batch[NEXT_FEATURES])
        following = self.critics.slow_of(batch[NEXT_FEATURES], action).amin(0)
        return bootstrapped(batch, self.settings.discount, following)

    def gaps(self, batch: Batch, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """By how much other actions are valued above the recorded ones: of the axes, where those
        have `values` (members, batch), and of the grippers.
        """
        features, returns = batch[FEATURES], batch[self.returns]
        actions = self.others(batch)  # (batch, 3 · sampled, axes)
        repeated = features[:, None].expand(-1, actions.shape[1], -1)
        others = self.critics.of(repeated.flatten(0, 1), actions.flatten(0, 1))
        others = others.unflatten(1, actions.shape[:2])
        gap = calibrated_gap(others, values, returns, self.settings.temperature)
        choices = self.critics.grasps(features)  # (batch, grippers, choices)
        if not choices.shape[1]:
            return gap, gap.new_zeros(())
        chosen = choices_of(self.head.settings, batch[DECIDED])[..., None]
        taken = choices.gather(-1, chosen)[..., 0].T  # (grippers, batch), as members above
        others = choices.transpose(0, 1)
        return gap, calibrated_gap(others, taken, returns, self.settings.temperature)

    @torch.no_grad()
    def others(self, batch: Batch) -> torch.Tensor:
        """(batch, 3 · sampled, axes): uniform ones, of π(s) and of π(s′)."""
        features, count = batch[FEATURES], self.settings.sampled_actions
        shape = (count, len(self.head.settings.axes))
        uniform = own_part(
            len(features), lambda rows: torch.rand((rows, *shape), generator=self.rng)
        )
        uniform = 2 * send(uniform, self.device) - 1
        drawn = [
            self.drawn(seen[:, None].expand(-1, count, -1).flatten(0, 1)).unflatten(0, (-1, count))
            for seen in (features, batch[NEXT_FEATURES])
        ]
        return torch.cat([uniform, *drawn], 1)

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """See robot_rl.learner.fitness.Valued."""
        return self.critics.of(features, action).mean(0)

    # ---- actor ---------------------------------------------------------------------------------

    def update_actor(
        self, batch: Batch, clone_weight: float, q_weight: float
    ) -> dict[str, torch.Tensor]:
        features = batch[FEATURES]
        losses: dict[str, torch.Tensor] = {}
        loss = torch.zeros((), device=self.device)
        if batch.count_shown():
            rows = ShownRows(batch, fixed=self.fixed)
            consistency, choice = self.clone_errors(rows.features, rows.action)
            clone = rows.mean(consistency) + rows.mean(choice)
            loss = loss + clone_weight * clone
            losses["clone"] = clone.detach()
        if q_weight:
            improve = self.improvement(features)
            loss = loss + q_weight * improve
            losses["actor"] = improve.detach()
        if loss.requires_grad:
            descend(self.optimizers["actor"], loss)
        self.counts.actor += 1
        return losses

    def clone_loss(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """The consistency loss of human actions (batch, action), and cross-entropy of grippers."""
        consistency, choice = self.clone_errors(features, action)
        return consistency.mean() + choice.mean()

    def clone_errors(
        self, features: torch.Tensor, action: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch,) each of the two."""
        shape = self.head.settings
        clean = picked(action, shape.axes)
        # Not the last scale: there the network has no say.
        index = own_part(
            len(clean), lambda rows: torch.randint(0, SCALES - 1, (rows,), generator=self.rng)
        )
        sigma = send(self.scales[index], self.device)
        noisy = clean + sigma[:, None] * self._noise(len(clean))
        errors = (self.head(features, noisy, sigma) - clean).square().mean(-1)
        consistency = (1 / sigma.square() + 1 / SIGMA_DATA**2) * errors
        log_probability = self.head.grippers(features).log_softmax(-1)
        chosen = log_probability.gather(-1, choices_of(shape, action)[..., None])
        return consistency, -chosen.sum((-2, -1))

    def improvement(self, features: torch.Tensor) -> torch.Tensor:
        """−mean_K Q(s, π(s)), and what the grippers' values want."""
        action = self.drawn(features)
        grippers, values = self.head.grippers(features), self.critics.grasps(features)
        value = self.critics.of(features, action).mean(0)
        value = self.constrain(value, features, action, grippers)
        grip = follow_values(grippers, values, self.settings.gripper_temperature)
        return (grip - value).mean()

    def drawn(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, axes): an action of the policy for each."""
        return self.head.draw(features, self._noise(len(features)))

    def _noise(self, count: int) -> torch.Tensor:
        # Drawn on the processor: a saved generator goes on wherever it is loaded.
        axes = len(self.head.settings.axes)
        drawn = own_part(count, lambda rows: torch.randn((rows, axes), generator=self.rng))
        return send(drawn, self.device)

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        load_training_state(self, self.optimizers, self.rng, tensors)


def calibrated_gap(
    others: torch.Tensor, taken: torch.Tensor, returns: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Mean of τ·log mean exp(Q̄/τ) − Q(s, a), Q̄ over Q(s, a) and max(Q(s, a′), return).

    others (members, batch, actions) values, taken (members, batch), returns (batch,).
    """
    raised = torch.maximum(others, returns[None, :, None])
    every = torch.cat([raised, taken[..., None]], -1)
    mean = every.div(temperature).logsumexp(-1) - np.log(every.shape[-1])
    return (temperature * mean - taken).mean()
