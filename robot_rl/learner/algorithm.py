"""What the training loop knows of an algorithm, and nothing more.

An algorithm is one file in `robot_rl.learner.algorithms`; its settings name it
(robot_rl.config.learner). It gets a head to train and the replay; when it is asked for an update,
what is published and what is saved is the loop's affair.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from robot_rl.config.learner import LearnerSection
from robot_rl.learner.arrangement import arrange
from robot_rl.learner.critics import Constrain
from robot_rl.learner.derived import BatchColumn
from robot_rl.learner.replay import Replay
from robot_rl.learner.samplers import Sampler
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.manifest import BadCheckpoint

MODEL, OPTIMIZER = "model.", "optimizer."
TORCH_RNG = "torch_dice"
"""Names of tensors in a learner's state file; the first release's, so that its states go on."""

type Metrics = dict[str, float]
type Losses = Mapping[str, float | torch.Tensor]
"""What an update says; tensors without dimensions stay on the device until they are read."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """How much was learned so far."""

    updates: int = 0  # calls of `update`, also with nothing to learn from
    critic: int = 0
    actor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many updates belong to how many received steps."""

    start_steps: int
    updates_per_step: int

    @classmethod
    def of(cls, settings: LearnerSection) -> "Budget":
        return cls(start_steps=settings.start_steps, updates_per_step=settings.updates_per_step)

    def owed(self, received: int) -> int:
        """Updates that the step number `received` brings."""
        return self.updates_per_step if received > self.start_steps else 0


class Algorithm(Protocol):
    """Made as `Class(settings, head, seed, device)`."""

    columns: tuple[BatchColumn, ...]
    """What it needs of every step that it samples."""
    sampler: Sampler
    counts: Counts
    budget: Budget

    @property
    def head(self) -> AnyHead:
        """What it publishes."""
        ...

    def offline(self, data: Replay, rng: np.random.Generator) -> Iterator[Losses]:
        """What it learns from the starting policy's demonstrations before the first step, an update
        at a time; goes on from its own counts, and is empty when that is done.
        """
        ...

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        """Learn from one batch."""
        ...

    def state(self) -> dict[str, torch.Tensor]:
        """All that it needs, beside its counts, to go on bit for bit."""
        ...

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Raises KeyError, ValueError or RuntimeError when they are not of such an algorithm."""
        ...


class ActorCritic(Protocol):
    """What an algorithm has besides whose settings say `actor_critic`: its actor follows what
    `constrain` makes of its values.
    """

    constrain: Constrain


@runtime_checkable
class Discounted(Protocol):
    """Settings of an algorithm whose values are discounted."""

    discount: float


def make_algorithm(
    settings: LearnerSection, head: AnyHead, seed: int, device: torch.device
) -> Algorithm:
    """The algorithm that the settings name. Raises BadCheckpoint: it cannot train such a head."""
    if head.settings.kind not in settings.heads:
        raise BadCheckpoint(
            f"the starting policy has a {head.settings.kind} head and {settings.algorithm} trains "
            f"a {settings.heads[0]} one: name another algorithm in the task file "
            "(learner.algorithm) or another starting policy (policy.folder)"
        )
    module, _, name = settings.implementation.partition(":")
    made: Algorithm = getattr(import_module(module), name)(settings, head, seed, device)
    arrange(made, settings.compute, device)
    return made


def not_finite(tensors: Mapping[str, torch.Tensor]) -> str:
    """The name of the first tensor that holds NaN or infinity; empty when none does."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return name
    return ""


def head_optimizer(head: nn.Module, settings: LearnerSection) -> torch.optim.AdamW:
    """Adam on what is not frozen; where it is set, with decay beside the gradient (Loshchilov and
    Hutter 2019).
    """
    trained = [each for each in head.parameters() if each.requires_grad]
    return torch.optim.AdamW(
        trained, settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


# ---- state in and out, for algorithms made of one module and its optimizers ----------------------


def training_state(
    module: nn.Module,
    optimizers: Mapping[str, torch.optim.Optimizer],
    rng: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Weights, optimizers and, where there is one, the random generator as named tensors."""
    tensors = {f"{MODEL}{key}": value for key, value in module.state_dict().items()}
    if rng is not None:
        tensors[TORCH_RNG] = rng.get_state()
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"{OPTIMIZER}{name}.{index}.{key}"] = torch.as_tensor(value)
    return tensors


def load_training_state(
    module: nn.Module,
    optimizers: Mapping[str, torch.optim.Optimizer],
    rng: torch.Generator | None,
    tensors: Mapping[str, torch.Tensor],
) -> None:
    """Put back what `training_state` took. Raises as `Algorithm.load_state`."""
    module.load_state_dict(_under(MODEL, tensors))
    for name, optimizer in optimizers.items():
        _restore_optimizer(optimizer, _under(f"{OPTIMIZER}{name}.", tensors))
    if rng is not None:
        rng.set_state(tensors[TORCH_RNG])


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    whole = optimizer.state_dict()
    whole["state"] = state
    optimizer.load_state_dict(whole)
