"""A constraint on what may go wrong, beside any actor-critic algorithm.

Maximise Q(s, π(s)) subject to C ≤ b, with C the share of the newest episodes in which a step was
unsafe, by a multiplier (Lagrange; SafeVLA, Zhang et al. 2025, has the same two lines):

  actor   wherever its loss has a value Q(s, a):  (Q(s, a) − λ·Q_risk(s, a)) / (1 + λ)
  λ       ← [λ + η·(C − b)]₊ after each newly ended episode, and no more than `largest`

The cost critic is the risk critic, as it is being trained; SafeVLA's is one of expected cost. A
gripper has no gradient: its order is taken as it stands.
"""

from itertools import islice

import numpy as np
import torch
from torch import nn

from robot_rl.config.risk import ConstraintSection
from robot_rl.learner.algorithm import Metrics
from robot_rl.learner.replay import Replay
from robot_rl.policy.head import HeadSettings, whole_action
from robot_rl.policy.risk_critic import RiskNet


class RiskMultiplier(nn.Module):
    """State: λ, and the number of the newest ended episode that it has counted."""

    def __init__(self, settings: ConstraintSection) -> None:
        super().__init__()
        self.settings = settings
        self.value: torch.Tensor
        self.register_buffer("value", torch.zeros((), dtype=torch.float64))
        self.counted: torch.Tensor
        self.register_buffer("counted", torch.full((), -1, dtype=torch.int64))

    def follow(self, replay: Replay) -> Metrics:
        """A step for each episode that has ended since the last call; what is to be told of it. One
        that is labelled after a later one counts in C alone.
        """
        window = self.settings.window_episodes
        ended = (each for each in replay.newest_episodes() if each.outcome is not None)
        newest = list(islice((each for each in ended if each.rows and not each.excluded), window))
        new = sum(each.number > int(self.counted) for each in newest)
        if not new:
            return {}
        rows = [np.fromiter(each.rows.values(), np.int64) for each in newest]
        cost = sum(bool(replay.store.cost[each].any()) for each in rows) / len(rows)
        for _ in range(new):
            self.step(cost)
        self.counted.fill_(newest[0].number)
        return {"risk_multiplier": float(self.value), "risk_cost": cost}

    def step(self, cost: float) -> None:
        """λ ← [λ + η·(cost − b)]₊."""
        settings = self.settings
        wanted = float(self.value) + settings.rate * (cost - settings.limit)
        self.value.fill_(min(max(wanted, 0.0), settings.largest))


class Constrained:
    """What an algorithm's actor puts in place of a value."""

    def __init__(self, multiplier: RiskMultiplier, net: RiskNet, shape: HeadSettings) -> None:
        self._multiplier, self._net, self._shape = multiplier, net, shape

    def __call__(
        self,
        value: torch.Tensor,
        features: torch.Tensor,
        axes: torch.Tensor,
        grippers: torch.Tensor,
    ) -> torch.Tensor:
        """(batch,): see robot_rl.learner.critics.Constrain."""
        weight = float(self._multiplier.value)
        if not weight:
            return value
        risk = self._net.risk(features, whole_action(self._shape, axes, grippers))
        return (value - weight * risk) / (1 + weight)
