"""Progress as a part of the reward: shaping by a potential (Ng, Harada and Russell 1999).

A small network predicts from the features how long it still takes to success, T(s), as a share of
the longest success that it was fitted to. It learns from episodes that succeeded, demonstrations
among them: step i of n has n − i steps to go. With

  Φ(s) = −weight·T(s),  Φ = 0 after a terminal step,      r′ = r + γ·mask·Φ(s′) − Φ(s)

the return from s with r′ is that with r, less Φ(s), whatever is done: which policy is best stays
the same, even where the model is wrong. r′ is computed when a batch is drawn, by a network that
changes only when it is fitted anew, each time that the known successes have doubled.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robot_rl.config.learner import LearnerSection
from robot_rl.config.shaping import ShapingSection
from robot_rl.errors import BadInput
from robot_rl.learner.algorithm import Discounted
from robot_rl.learner.derived import (
    BOOTSTRAP,
    FEATURES,
    NEXT_FEATURES,
    REWARD,
    BatchColumn,
    MonteCarloReturn,
    NStepReward,
)
from robot_rl.learner.device import send
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.sac import descend
from robot_rl.learner.samplers import Rows
from robot_rl.policy.networks import Ensemble

_STREAM = 4  # of the learner's seed


class Shaping(nn.Module):
    """State: the network, and how many successes it was fitted to. Before the first fit there is no
    potential.
    """

    def __init__(
        self,
        settings: ShapingSection,
        *,
        discount: float,
        features: int,
        seed: int,
        device: torch.device,
    ) -> None:
        """discount: γ of the algorithm that learns from the batches."""
        super().__init__()
        self.settings, self._discount = settings, discount
        self._seed, self._device = seed, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Ensemble(1, features, settings.width, 1)
        self.fitted: torch.Tensor
        self.register_buffer("fitted", torch.zeros((), dtype=torch.int64))
        self.to(device)
        self._successes = 0  # as `fitted`, without asking the device
        self._known: tuple[int, int] | None = None

    @torch.no_grad()
    def potential(self, features: torch.Tensor) -> torch.Tensor:
        """(batch,): Φ, −weight … 0."""
        if not self._successes:
            return torch.zeros_like(features[:, 0])
        return -self.settings.weight * self._share(features)

    def reshaped(self, batch: Batch) -> Batch:
        """With r′ for r, and returns that were reached less Φ(s)."""
        here = self.potential(batch[FEATURES])
        after = batch[BOOTSTRAP] * self.potential(batch[NEXT_FEATURES])
        columns: dict[BatchColumn, torch.Tensor] = {
            column: values - here if isinstance(column, MonteCarloReturn) else values
            for column, values in batch.columns.items()
        }
        columns[REWARD] = batch[REWARD] + self._discount * after - here
        return replace(batch, columns=columns)

    def fit_when_due(self, replay: Replay) -> float | None:
        """By how many steps it misses, in the mean over what it was fitted to; None: not due."""
        known = (len(replay.succeeded), len(replay.demonstrations))
        if known == self._known:
            return None
        self._known = known
        count = sum(1 for _ in replay.successes())
        if count < max(self.settings.first_successes, 2 * self._successes):
            return None
        return self._fit(replay, count)

    def _fit(self, replay: Replay, count: int) -> float | None:
        settings = self.settings
        rows, left = to_success(replay)
        features = replay.store.column("features")
        # A measurement that is no number teaches nothing.
        usable = np.isfinite(features[rows]).all(1)
        rows, left = rows[usable], left[usable]
        if not len(rows) or not left.max():
            return None
        longest = float(left.max())
        rng = np.random.default_rng([self._seed, _STREAM, count])
        optimizer = torch.optim.Adam(self.network.parameters(), settings.learning_rate)
        miss = torch.zeros((), device=self._device)
        for _ in range(settings.updates):
            chosen = rng.integers(len(rows), size=settings.batch)
            seen = send(torch.from_numpy(features[rows[chosen]]), self._device)
            wanted = send(torch.from_numpy(left[chosen] / np.float32(longest)), self._device)
            error = self._share(seen) - wanted
            descend(optimizer, error.square().mean())
            miss += (error.detach().abs().mean() - miss) / 20  # over about as many updates
        self._successes = count
        self.fitted.fill_(count)
        return float(miss) * longest

    def _share(self, features: torch.Tensor) -> torch.Tensor:
        return self.network(features)[0, :, 0].sigmoid()

    def state(self) -> dict[str, torch.Tensor]:
        return self.state_dict()

    def load_state(self, tensors: dict[str, torch.Tensor]) -> None:
        """Raises RuntimeError when they are not of such a model. Without any it begins anew."""
        if tensors:
            self.load_state_dict(tensors)
            self._successes = int(self.fitted)


def shaping_of(
    settings: LearnerSection,
    columns: Sequence[BatchColumn],
    features: int,
    seed: int,
    device: torch.device,
) -> Shaping | None:
    """What an algorithm's settings ask for; None: nothing. Its `columns` are those of every batch.

    Raises BadInput: it learns from no reward that can be shaped.
    """
    if not settings.shaping.weight:
        return None
    if not isinstance(settings, Discounted):
        raise _unshapable(settings, "its settings have no discount")
    if any(isinstance(each, NStepReward) for each in columns):
        raise _unshapable(settings, "it adds the rewards of several steps")
    if not {FEATURES, NEXT_FEATURES, REWARD, BOOTSTRAP} <= {*columns}:
        raise _unshapable(settings, "its batches have not reward, bootstrap and both features")
    return Shaping(
        settings.shaping,
        discount=settings.discount,
        features=features,
        seed=seed,
        device=device,
    )


def _unshapable(settings: LearnerSection, reason: str) -> BadInput:
    return BadInput(
        f"learner.shaping.weight is {settings.shaping.weight:g} in the task file, and rewards of "
        f"{settings.algorithm} cannot be shaped, because {reason}: set it to 0, or choose another "
        "algorithm"
    )


def to_success(replay: Replay) -> tuple[Rows, NDArray[np.float32]]:
    """(records,) the rows of all successes that somebody saw, and how many steps each had to go."""
    rows: list[int] = []
    left: list[int] = []
    seen = replay.store.column("seen")
    for episode in replay.successes():
        steps = episode.steps or 0
        for index, row in episode.rows.items():
            if index <= steps and seen[row]:
                rows.append(row)
                left.append(steps - index)
    return np.array(rows, np.int64), np.array(left, np.float32)
