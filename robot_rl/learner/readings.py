"""The losses of updates, read from the device together: reading one waits for all that it has yet
to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from robot_rl.learner.algorithm import Losses, Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Of one update, by its number."""

    update: int
    losses: Metrics
    measured: Metrics  # beside its losses (robot_rl.learner.metrics)


class LossReadings:
    """State: what updates said since the last reading, still on the device."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._waiting: list[tuple[int, Losses, Losses]] = []

    def add(self, update: int, losses: Losses, measured: Losses) -> Sequence[Reading]:
        """After an update; what has been read, when so many have come together."""
        self._waiting.append((update, losses, measured))
        return self.take() if len(self._waiting) >= self._every else ()

    def take(self) -> Sequence[Reading]:
        """All that waits, read at once."""
        waiting, self._waiting = self._waiting, []
        said = [values for _, *both in waiting for values in both]
        tensors = [
            each for values in said for each in values.values() if isinstance(each, torch.Tensor)
        ]
        # One copy for all of them.
        read = iter(torch.stack(tensors).tolist() if tensors else ())
        numbers = [
            {
                name: next(read) if isinstance(each, torch.Tensor) else float(each)
                for name, each in values.items()
            }
            for values in said
        ]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return [
            Reading(update=update, losses=losses, measured=measured)
            for (update, _, _), (losses, measured) in zip(waiting, pairs, strict=True)
        ]
