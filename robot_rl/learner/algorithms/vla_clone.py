"""Fine-tuning of a whole LeRobot policy on what people did (HG-DAgger, Kelly et al. 2019, with the
policy's own loss): LoRA (Hu et al. 2021) or whole weights.

  adapter   L(chunk that the person gave, masked where they let go | stored pictures, state, words)

L is LeRobot's: flow matching for SmolVLA and π0, L1 and a KL term for ACT.

It is an algorithm and no background part, as the refreshing of an encoder is (learner.seeing): an
adapter on a frozen policy is to it what a head on a frozen backbone is, a small module that trains
at every step, is judged on recorded states and published. So replay, labels, budgets, going back
from a loss that is not finite, saved state, versions and their swap are those of every other
algorithm. Its replay holds no features but the numbers of recorded moments, whose pictures the
backbone keeps (robot_rl.policy.moments).
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from robot_rl.config.algorithms.vla_clone import VlaCloneSettings
from robot_rl.errors import BadInput
from robot_rl.learner.algorithm import (
    Budget,
    Counts,
    Losses,
    head_optimizer,
    load_training_state,
    training_state,
)
from robot_rl.learner.derived import FEATURES
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.samplers import Demonstrated
from robot_rl.learner.share import processes
from robot_rl.learner.shown_chunks import PastEnd, ShownChunk
from robot_rl.policy.lerobot_features import alike, together
from robot_rl.policy.tunable import PADDED
from robot_rl.policy.tuned_head import TunedHead, on_device


class VlaClone(nn.Module):
    """The differences from the starting policy and their optimizer."""

    sampler = Demonstrated()

    def __init__(
        self, settings: VlaCloneSettings, head: TunedHead, seed: int, device: torch.device
    ) -> None:
        """Raises BadInput: several processes, or nothing in the policy is named by the targets."""
        super().__init__()
        if processes() > 1:
            raise BadInput(
                f"vla_clone trains in one process, and {processes()} were started: start the "
                "learner without torchrun"
            )
        self.settings = settings
        self.budget, self.counts = Budget.of(settings), Counts()
        base = head.base
        base.to(device)
        names = base.matching(settings.targets, matrices=settings.rank > 0)
        shape = head.settings.model_copy(update={"rank": settings.rank, "weights": names})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = TunedHead(shape, base)
        self.picks = list(base.loaded.facts.trained_columns(shape.action))
        self.chunk, self.past_end = ShownChunk(base.chunk_size), PastEnd(base.chunk_size)
        self.columns = (FEATURES, self.chunk, self.past_end)
        self.rng = torch.Generator().manual_seed(seed)
        self.to(device)
        self.optimizers = {"actor": head_optimizer(self.head, settings)}

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:
        """Nothing: the base was trained elsewhere, and what people show comes with the feed."""
        del data, rng
        yield from ()

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """One step on what people did; nothing while nobody has shown any."""
        self.counts.updates += 1
        if not data.demonstrated:
            return {}
        batch = data.sample(self.settings.batch, rng, self.sampler, self.columns)
        loss = self.loss(batch)
        optimizer = self.optimizers["actor"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.head.parameters(), self.settings.clip_gradient)
        optimizer.step()
        self.counts.actor += 1
        return {"clone": loss.detach(), "gradient": norm.detach()}

    def loss(self, batch: Batch) -> torch.Tensor:
        """LeRobot's own loss of a batch, with gradients for the head alone.

        Observations whose pictures or words differ in size go through the policy apart, each part
        weighing as many steps as it has.
        """
        base, weights = self.head.base, self.head.weights()
        actions, past_end = batch[self.chunk][..., self.picks].cpu(), batch[self.past_end].cpu()
        moments = base.moments_of(batch[FEATURES])
        prepared = [
            base.loaded.batch(seen, wanted.numpy())
            for seen, wanted in zip(moments, actions, strict=True)
        ]
        total = torch.zeros((), device=base.device)
        with torch.random.fork_rng(devices=[]):
            # LeRobot draws noise and times by torch's own generator.
            torch.manual_seed(int(torch.randint(2**62, (), generator=self.rng)))
            _train_mode(base.module)
            for places in alike(prepared):
                part = together([prepared[place] for place in places])
                part[PADDED] = past_end[places]
                loss = base.loss(weights, on_device(part, base.device))
                total = total + loss * (~past_end[places]).sum() / (~past_end).sum()
            base.module.eval()
        return total

    def state(self) -> dict[str, torch.Tensor]:
        return training_state(self, self.optimizers, self.rng)

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        load_training_state(self, self.optimizers, self.rng, tensors)


def _train_mode(policy: nn.Module) -> None:
    """As LeRobot trains; what a batch would change beside the weights stays as it is, because a
    version does not carry it.
    """
    policy.train()
    for module in policy.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
