"""What is measured at every update beside its losses: gradients, batches, and values against what
was reached. It changes nothing that is trained on, and draws from numbers of its own.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from robot_rl.learner.algorithm import Algorithm, Discounted, Losses, Metrics
from robot_rl.learner.columns import HUMAN
from robot_rl.learner.derived import FEATURES, MonteCarloReturn, decided
from robot_rl.learner.fitness import Valued
from robot_rl.learner.metrics_files import MetricsFile
from robot_rl.learner.replay import Replay
from robot_rl.learner.samplers import BalancedByOutcome, Rows

RETURN_UPDATES = 50  # between two comparisons of values with returns
RETURN_ROWS = 256


@runtime_checkable
class Optimized(Protocol):
    """An algorithm that descends by optimizers with names."""

    optimizers: Mapping[str, torch.optim.Optimizer]


class MetricsRecorder:
    """Of one learner. Without files it measures nothing and costs nothing."""

    def __init__(
        self,
        algorithm: Algorithm,
        replay: Replay,
        files: Mapping[str, MetricsFile],
        say: Callable[[str], None],
        seed: int,
    ) -> None:
        self._algorithm, self._replay, self._say = algorithm, replay, say
        self._files = dict(files)
        self._rng = np.random.default_rng([seed, 2])
        self._measured: dict[str, float | torch.Tensor] = {}  # since the last update
        if not files:
            return
        replay.on_sample = self._look_at_batch
        if isinstance(algorithm, Optimized):
            for name, optimizer in algorithm.optimizers.items():
                optimizer.register_step_pre_hook(partial(self._look_at_gradient, name))

    def measured(self) -> Losses:
        """What was measured since the last call, beside an update's losses; perhaps still on the
        device.
        """
        measured, self._measured = self._measured, {}
        return measured

    def note(self, update: int, losses: Metrics, measured: Metrics) -> None:
        """Write what was measured in an update, by its number."""
        if not self._files or not losses:
            return
        values = {f"update/{name}": value for name, value in losses.items()} | measured
        if update % RETURN_UPDATES == 0:
            values |= self._against_return()
        self._each(lambda file: file.write(update, values))

    def close(self) -> None:
        self._each(lambda file: file.close())

    def _each(self, work: Callable[[MetricsFile], None]) -> None:
        """Training does not end because a disk is full: that file is written no more."""
        for name, file in list(self._files.items()):
            try:
                work(file)
            except OSError as error:
                del self._files[name]
                self._say(f"metrics are no longer written for {name}: {error}")

    def _look_at_gradient(
        self, name: str, optimizer: torch.optim.Optimizer, *_of_step: object
    ) -> None:
        parameters = [each for group in optimizer.param_groups for each in group["params"]]
        gradients = [each.grad for each in parameters if each.grad is not None]
        self._measured[f"gradient/{name}"] = torch.nn.utils.get_total_norm(gradients)

    def _look_at_batch(self, rows: Rows, online: int) -> None:
        """Shares of the batch, and how many episodes ago its autonomous half was recorded."""
        store = self._replay.store
        self._measured |= {
            "batch/online": online / len(rows),
            "batch/person": float((store.column("source")[rows] == HUMAN).mean()),
            "batch/rewarded": float((store.reward[rows] > 0).mean()),
        }
        if online:
            age = self._replay.episodes - 1 - store.episodes_of(rows[:online])
            median, oldest = np.percentile(age, [50, 90])
            self._measured |= {"age/episodes_p50": median, "age/episodes_p90": oldest}

    @torch.no_grad()
    def _against_return(self) -> Metrics:
        """The critics' values of what was done, beside what came of it; of finished episodes."""
        algorithm, replay = self._algorithm, self._replay
        settings = replay.task.learner
        known = bool(replay.succeeded) or bool(replay.failed)
        if not known or not isinstance(algorithm, Valued) or not isinstance(settings, Discounted):
            return {}
        rows, _ = BalancedByOutcome().draw(replay, RETURN_ROWS, self._rng)
        axes = list(algorithm.head.settings.axes)
        features = torch.from_numpy(FEATURES.of(replay, rows)).to(replay.device)
        action = torch.from_numpy(decided(replay.store, rows)[:, axes]).to(replay.device)
        value = algorithm.value(features, action)
        if replay.shaping is not None:  # what was reached is told without it
            value = value + replay.shaping.potential(features)
        values = value.cpu().numpy()
        returns = MonteCarloReturn(settings.discount).of(replay, rows)
        return {
            "value/q": float(values.mean()),
            "value/return": float(returns.mean()),
            "value/error": float(np.abs(values - returns).mean()),
        }
