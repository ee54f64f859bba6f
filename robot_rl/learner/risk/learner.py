"""Trains the risk critic beside the policy, whatever algorithm trains that.

Each update is a batch from D_on, of which up to a quarter are unsafe steps, because they are rare;
each row is weighted by what it would have been in an even draw, so that what is learned stays a
probability. Per network, with c whether a step was unsafe (robot_rl.schema.transition.is_costly):

  y = c + (1 − c)·γ_risk·mask·max_{both} Q′(s′, a′),   a′ = what the policy does in s′
  loss = cross-entropy(y, Q(s, a))

What a person prevented is censored by that, not counted: the value of the step before a takeover is
what the policy, not the person, would have come to.

A recovery policy is trained on the same batch, to do what the critic calls least risky (Recovery
RL, Thananjeyan et al. 2021):

  loss = −log(1 − max_{both} Q(s, π_r(s))) + GENTLE·|π_r(s)|²

unweighted, so that unsafe steps count for more than they are; where nothing threatens it moves
little.
"""

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.risk import RiskSection
from robot_rl.learner.algorithm import MODEL, Metrics, load_training_state, training_state
from robot_rl.learner.critics import follow
from robot_rl.learner.derived import (
    BOOTSTRAP,
    COST,
    DECIDED,
    FEATURES,
    NEXT_FEATURES,
    Floats,
)
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.risk.constraint import Constrained, RiskMultiplier
from robot_rl.learner.sac import descend
from robot_rl.learner.samplers import Rows
from robot_rl.policy.head import whole_action
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.risk_critic import Recovery, RiskNet

COLUMNS = (FEATURES, NEXT_FEATURES, DECIDED, COST, BOOTSTRAP)
FOLLOW_RATE = 0.02  # seven steps ahead need no slower one
GENTLE = 0.1  # against the slope of the risk: an axis at its limit costs as much as a risk of 0.1
RARE = -4.0  # logit of the risk before anything was learned: 0.02
UNSAFE_SHARE = 0.25
_STREAM = 3  # of the learner's seed


class RiskLearner(nn.Module):
    """State: both networks, their slow copies, the recovery policy, an optimizer of each, how many
    updates were made; and the critic that was published last, as it was encoded.
    """

    def __init__(
        self,
        settings: RiskSection,
        policy: Callable[[], AnyHead],
        seed: int,
        device: torch.device,
    ) -> None:
        """`policy`: what would act, as it is being trained."""
        super().__init__()
        shape = policy().settings
        self.settings, self._policy, self._seed, self._device = settings, policy, seed, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = RiskNet(shape.features, shape.size, settings.width)
            nn.init.constant_(self.net.values.biases[-1], RARE)
            self.recovery = Recovery(shape.features, shape.size, shape.axes, settings.width)
        self.slow = copy.deepcopy(self.net).requires_grad_(False)
        self.updates: torch.Tensor
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.number: torch.Tensor  # of the critic that was published last
        self.register_buffer("number", torch.zeros((), dtype=torch.int64))
        self.released: bytes | None = None
        wanted = settings.constraint
        self.multiplier = None if wanted is None else RiskMultiplier(wanted)
        self.to(device)
        self._optimizers = {
            "risk": torch.optim.Adam(self.net.parameters(), settings.learning_rate),
            "recovery": torch.optim.Adam(self.recovery.parameters(), settings.learning_rate),
        }

    def update(self, replay: Replay) -> Metrics:
        """One step of learning; nothing while there is nothing to learn from."""
        if not replay.online:
            return {}
        # Drawn from the number of the update: a learner that goes on needs no other state.
        rng = np.random.default_rng([self._seed, _STREAM, int(self.updates)])
        rows, weights = draw(replay, self.settings.batch, rng)
        batch = replay.gather(rows, COLUMNS)
        loss, risk = self.loss(batch, torch.from_numpy(weights).to(self._device))
        self.updates += 1
        if not bool(torch.isfinite(loss)):
            return {}  # a measurement that is no number teaches nothing; the next batch is another
        descend(self._optimizers["risk"], loss)
        follow(self.slow, self.net, FOLLOW_RATE)
        away, recovery_risk = self.recovery_loss(batch[FEATURES])
        descend(self._optimizers["recovery"], away)
        losses = {
            "risk_loss": loss.item(),
            "risk": risk.item(),
            "recovery_risk": recovery_risk.item(),
        }
        return losses if self.multiplier is None else losses | self.multiplier.follow(replay)

    @property
    def constrained(self) -> Constrained | None:
        """What the policy's actor is to follow in place of its values; None: those."""
        if self.multiplier is None:
            return None
        return Constrained(self.multiplier, self.net, self._policy().settings)

    def loss(self, batch: Batch, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted cross-entropy, the mean of both networks; their mean risk."""
        logits = self.net(batch[FEATURES], batch[DECIDED])
        target = self.target(batch).expand_as(logits)
        errors = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (errors.mean(0) * weights).mean(), (logits.amax(0).sigmoid() * weights).mean()

    def recovery_loss(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """−log(1 − Q) + GENTLE·|a|² of what the recovery policy does; its mean risk."""
        action = self.recovery(features)
        logit = self.net(features, action).amax(0)
        loss = nn.functional.softplus(logit) + GENTLE * action.square().sum(-1)
        return loss.mean(), logit.detach().sigmoid().mean()

    @torch.no_grad()
    def target(self, batch: Batch) -> torch.Tensor:
        """(batch,): c + (1 − c)·γ_risk·mask·Q′(s′, a′)."""
        action = actions_of(self._policy(), batch[NEXT_FEATURES])
        following = self.slow.risk(batch[NEXT_FEATURES], action)
        cost = batch[COST]
        return cost + (1 - cost) * self.settings.discount * batch[BOOTSTRAP] * following

    @torch.no_grad()
    def says(self, replay: Replay, rows: Rows, net: RiskNet | None = None) -> Floats:
        """(rows,): the risk of what was decided in them, by the net as it is now or another."""
        batch = replay.gather(rows, (FEATURES, DECIDED))
        return (net or self.net).risk(batch[FEATURES], batch[DECIDED]).cpu().numpy()

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self._optimizers)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Raises KeyError, ValueError or RuntimeError when they are not of such a critic. A
        constraint that is new begins anew, and one that is gone leaves nothing; a state from before
        there was a recovery policy begins one.
        """
        kept = dict(tensors)
        for part, module in (("multiplier", self.multiplier), ("recovery", self.recovery)):
            name = f"{MODEL}{part}."
            given = {key: kept.pop(key) for key in [*kept] if key.startswith(name)}
            if module is not None:
                own = {f"{name}{key}": value for key, value in module.state_dict().items()}
                kept |= own | given
        load_training_state(self, self._optimizers, None, kept)


def actions_of(head: AnyHead, features: torch.Tensor) -> torch.Tensor:
    """(batch, columns): what a policy does without noise."""
    return whole_action(head.settings, *head.decision(features))


def draw(replay: Replay, count: int, rng: np.random.Generator) -> tuple[Rows, Floats]:
    """(count,) rows of D_on, and the weight of each: its probability in an even draw over its
    probability in this one, which mixes unsafe rows into even ones.
    """
    unsafe = round(count * UNSAFE_SHARE) if replay.unsafe else 0
    rows = np.concatenate(
        [replay.unsafe.sample(unsafe, rng), replay.online.sample(count - unsafe, rng)]
    )
    share = unsafe / count
    weights = np.full(count, 1 / (1 - share))
    if unsafe:
        more = share * len(replay.online) / len(replay.unsafe)
        weights[replay.store.cost[rows] > 0] = 1 / (more + 1 - share)
    return rows, weights.astype(np.float32)
