"""What a person did over the next steps, as the chunk that a policy is to answer with. It ends
where the person let go, where a step is not to be imitated, and with the episode.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_rl.learner.columns import Array
from robot_rl.learner.derived import ReplayData, decided, walk
from robot_rl.learner.samplers import Rows
from robot_rl.learner.storage import Storage


def _shown(store: Storage, rows: Rows, steps: int) -> tuple[Rows, NDArray[np.bool_]]:
    """(batch, steps) rows, and whether a person showed each and all before it."""
    found, valid = walk(store, rows, steps)
    return found, np.logical_and.accumulate(valid & store.shown[found], 1)


@dataclass(frozen=True, slots=True)
class ShownChunk:
    """(batch, steps, action) −1 … 1; zero after its end."""

    steps: int

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        found, shown = _shown(replay.store, rows, self.steps)
        flat = decided(replay.store, found.reshape(-1)).reshape(*found.shape, -1)
        return np.where(shown[..., None], flat, np.float32(0))


@dataclass(frozen=True, slots=True)
class PastEnd:
    """(batch, steps) bool: no action stands there (LeRobot's `action_is_pad`)."""

    steps: int

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        return ~_shown(replay.store, rows, self.steps)[1]
