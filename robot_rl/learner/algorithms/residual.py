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

import torch

from robot_rl.config.algorithms.residual import ResidualSettings
from robot_rl.learner.algorithms.rlpd import Rlpd
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.policy.residual_head import KIND, PRIOR, ResidualHead


class Residual(Rlpd):
    """RLPD whose action corrects a frozen policy's."""

    settings: ResidualSettings
    head: ResidualHead

    def begin(self, head: Head | ResidualHead) -> tuple[ResidualHead, HeadSettings]:
        """Untrained, the head does what the frozen policy does. Another scale in the task file
        counts from now on.
        """
        shape = head.settings.model_copy(update={"kind": KIND, "scale": self.settings.scale})
        made = ResidualHead(shape, copy.deepcopy(head)) if isinstance(head, Head) else head
        made.settings = shape
        made.train().requires_grad_(True)
        made.reference.eval().requires_grad_(False)
        seen = shape.features + len(shape.axes) + len(shape.gripper_columns)
        return made, shape.model_copy(update={"features": seen})

    def seen(self, features: torch.Tensor) -> torch.Tensor:
        """With the frozen policy's action in it."""
        return self.head.seen(features)

    def executed(self, features: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """The frozen policy's action, corrected."""
        return self.head.corrected(features, drawn)

    def gripper_prior(self, features: torch.Tensor) -> torch.Tensor:
        """For what the frozen policy would order."""
        return PRIOR * self.head.orders(features)
