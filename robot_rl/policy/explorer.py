"""What a policy tries beside what it knows: noise that lasts, and orders of the gripper."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.exploration import Exploration


class Explorer:
    """One episode's exploration; it outlives a change of version within the episode."""

    def __init__(self, settings: Exploration | None = None) -> None:
        self.settings = settings or Exploration()
        self.reset()

    def reset(self) -> None:
        """An episode begins: nothing lasts from the one before."""
        self._noise: NDArray[np.float64] | None = None
        self._trying: dict[int, tuple[int, int]] = {}  # gripper → choice, steps left

    def noise(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """(size,) of standard deviation 1; an autoregressive process of first order."""
        fresh, last = rng.standard_normal(size), self._noise
        if last is not None:
            share = self.settings.noise_correlation
            fresh = share * last + math.sqrt(1.0 - share * share) * fresh
        self._noise = fresh
        return fresh

    def choices(self, rng: np.random.Generator, best: Sequence[int], count: int) -> list[int]:
        """Of each gripper one of `count` orders: its best one, or another one for some steps."""
        settings, chosen = self.settings, list(best)
        for gripper in range(len(chosen)):
            choice, left = self._trying.get(gripper, (0, 0))
            if left == 0 and settings.gripper_probability > 0.0:
                if rng.random() >= settings.gripper_probability:
                    continue
                choice, left = int(rng.integers(count)), settings.gripper_steps
            if left > 0:
                chosen[gripper], self._trying[gripper] = choice, (choice, left - 1)
        return chosen
