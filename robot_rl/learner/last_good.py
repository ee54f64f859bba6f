"""The last good state of an algorithm, in memory: training goes back to it when a loss or a weight
is not finite, so that nothing of the kind is published or saved.
"""

import math
from collections.abc import Callable, Mapping

import torch

from robot_rl.learner.algorithm import Algorithm, Counts, Metrics, not_finite
from robot_rl.learner.replay import Replay

AGAIN_UPDATES = 1000  # diverging a second time within so many is no accident: training stops
REMEDY = (
    "exclude episodes whose sensor values are wrong, or lower learning_rate in the task file, and "
    "start the learner again"
)


class LastGood:
    """Of one algorithm and of what its replay counts as trained on. `stopped`: it diverged again
    and again, and is not to be trained any more.
    """

    def __init__(self, algorithm: Algorithm, replay: Replay, say: Callable[[str], None]) -> None:
        self._algorithm, self._replay, self._say = algorithm, replay, say
        self._since = AGAIN_UPDATES  # updates since it last went back
        self.stopped = ""
        self.went_back = 0  # how often
        self.keep()

    def keep(self) -> None:
        """From now on this is the state to go back to: what is published or saved."""
        replay, counts = self._replay, self._algorithm.counts
        self._tensors = _copied(self._algorithm.state())
        self._counts = Counts(updates=counts.updates, critic=counts.critic, actor=counts.actor)
        self._sampled = replay.sampled_interventions, tuple(replay.fresh_interventions)
        self._rows = replay.sampled_rows

    def accepts(self, metrics: Metrics) -> bool:
        """Whether the losses of an update are finite; if not, it goes back."""
        self._since += 1
        for name, value in metrics.items():
            if not math.isfinite(value):
                self._go_back(f"the loss {name} is {value}")
                return False
        return True

    def is_finite(self) -> bool:
        """Whether all of the present state is finite; if not, it goes back."""
        name = not_finite(self._algorithm.state())
        if name:
            self._go_back(f"the tensor {name} holds values that are not finite")
        return not name

    def _go_back(self, reason: str) -> None:
        """The sampling generator is not put back: other batches are drawn than the ones before."""
        algorithm, kept, replay = self._algorithm, self._counts, self._replay
        undone = algorithm.counts.updates - kept.updates
        self.went_back += 1
        algorithm.load_state(_copied(self._tensors))
        counts = algorithm.counts
        counts.updates, counts.critic, counts.actor = kept.updates, kept.critic, kept.actor
        replay.restore_sampled(*self._sampled)
        replay.sampled_rows = self._rows
        if self._since < AGAIN_UPDATES:
            self.stopped = (
                f"training has stopped: {reason}, again within {AGAIN_UPDATES} updates of going "
                f"back for such a reason; the last good version goes on acting; {REMEDY}"
            )
            self._say(self.stopped)
            return
        self._since = 0
        self._say(f"{reason}: the learner goes back {undone} updates, to the last good state")


def _copied(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
