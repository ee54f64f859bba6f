"""The part that trains and travels: SAC actor and three-way grippers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import nn

from robot_rl.policy.explorer import Explorer
from robot_rl.policy.interface import Backbone, Chunk, Observation
from robot_rl.policy.networks import Mlp
from robot_rl.policy.shield import Shield
from robot_rl.schema.message import MAX_ACTION, Message

LOG_STD_MIN, LOG_STD_MAX = -5.0, -1.2  # at most 0.3: a robot explores beside what it knows
GRIPPER_VALUES = (-1.0, 0.0, 1.0)
"""Close, stay, open: the order of the gripper head's outputs."""


type HeadKind = Literal["gaussian", "consistency", "tuned", "residual"]


class HeadSettings(Message):
    """Shape of the head; travels in the metadata of its weights."""

    # Left out where it is a Gaussian: heads of before there were others keep their names.
    kind: Annotated[HeadKind, Field(exclude_if=lambda kind: kind == "gaussian")] = "gaussian"
    features: Annotated[int, Field(ge=1)]
    size: Annotated[int, Field(ge=1, le=MAX_ACTION)]  # columns of an action
    axes: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    gripper_columns: tuple[Annotated[int, Field(ge=0)], ...]
    width: Annotated[int, Field(ge=16, le=1024)] = 256
    # Of a residual: how far it may go from the frozen policy, of full scale.
    scale: Annotated[float, Field(ge=0, le=2, exclude_if=lambda scale: scale == 0)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_first_release(cls, value: Any) -> Any:
        """Its heads knew one action: six columns of a pose, then the gripper."""
        if isinstance(value, dict) and "gripper" in value:
            value = {**value, "size": 7, "gripper_columns": (6,) if value["gripper"] else ()}
            del value["gripper"]
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        columns = (*self.axes, *self.gripper_columns)
        if len(set(columns)) != len(columns) or max(columns) >= self.size:
            raise ValueError(
                f"axes {self.axes} and gripper columns {self.gripper_columns} must be different "
                f"columns below {self.size}"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOutput:
    """Before squashing and sampling."""

    mean: torch.Tensor  # (batch, axes)
    log_std: torch.Tensor  # (batch, axes)
    grippers: torch.Tensor  # (batch, grippers, 3) logits; none where there is no gripper


class Head(nn.Module):
    """(batch, features) → distribution over actions."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.settings = settings
        axes = len(settings.axes)
        self.trunk = Mlp(settings.features, settings.width)
        self.mean = nn.Linear(settings.width, axes)
        self.log_std = nn.Linear(settings.width, axes)
        nn.init.zeros_(self.log_std.weight)
        nn.init.constant_(self.log_std.bias, -2.3)
        outputs = len(GRIPPER_VALUES) * len(settings.gripper_columns)
        self.gripper = nn.Linear(settings.width, outputs) if outputs else None

    def forward(self, features: torch.Tensor) -> HeadOutput:
        hidden = self.trunk(features)
        choices = hidden[..., :0] if self.gripper is None else self.gripper(hidden)
        return HeadOutput(
            mean=self.mean(hidden),
            log_std=self.log_std(hidden).clamp(LOG_STD_MIN, LOG_STD_MAX),
            grippers=choices.unflatten(-1, (len(self.settings.gripper_columns), -1))
            if self.gripper is not None
            else choices.reshape(len(choices), 0, len(GRIPPER_VALUES)),
        )

    def decision(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What it does without noise: (batch, axes) −1 … 1, and the grippers' logits."""
        output = self(features)
        return torch.tanh(output.mean), output.grippers


class ActingPolicy[H: nn.Module](ABC):
    """A frozen backbone with a head of some kind; another version is another one of these."""

    def __init__(
        self,
        backbone: Backbone,
        head: H,
        version: int | None = None,
        explorer: Explorer | None = None,
    ) -> None:
        self.backbone = backbone
        self.explorer = explorer or Explorer()
        self.head = head.eval().requires_grad_(False)
        self.version = version
        self.shield: Shield | None = None
        """Its risk critic; where there is one, it is asked at every decision."""

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        features = self.backbone.features(observation)
        action = self.decide(features, rng, deterministic=deterministic)
        judged = None
        if self.shield is not None:
            action, judged = self.shield.judge(
                features, action, lambda count: self.candidates(features, count, rng)
            )
        return Chunk(actions=action[None], version=self.version, judged=judged)

    @abstractmethod
    def decide(
        self, features: NDArray[np.float32], rng: np.random.Generator, *, deterministic: bool
    ) -> NDArray[np.float64]:
        """(size,) action for features already at hand; unless `deterministic`, with what the
        explorer tries.
        """

    @abstractmethod
    def candidates(
        self, features: NDArray[np.float32], count: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """(count, size) other actions that it could take, further away than it would explore."""

    def reset(self) -> None:
        """An episode begins: nothing that is tried lasts from the one before."""
        self.explorer.reset()


def assemble(
    shape: HeadSettings, axes: NDArray[np.float64], choices: Sequence[int]
) -> NDArray[np.float64]:
    """(size,) action of its axes −1 … 1 and the grippers' choices."""
    action = np.zeros(shape.size)
    action[list(shape.axes)] = axes
    action[list(shape.gripper_columns)] = [GRIPPER_VALUES[choice] for choice in choices]
    return action


def drawn(
    shape: HeadSettings,
    axes: NDArray[np.float64],
    grippers: torch.Tensor,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(count, size) actions of axes (count, axes), their grippers drawn by logits (grippers, 3)."""
    choices = [
        rng.choice(len(GRIPPER_VALUES), len(axes), p=each / each.sum())
        for each in grippers.softmax(-1).double().numpy()
    ]
    picked = np.array(choices, np.int64).reshape(len(choices), len(axes)).T
    return np.stack(
        [assemble(shape, row, order) for row, order in zip(axes, picked.tolist(), strict=True)]
    )


class HeadPolicy(ActingPolicy[Head]):
    """With a Gaussian head."""

    def decide(
        self, features: NDArray[np.float32], rng: np.random.Generator, *, deterministic: bool
    ) -> NDArray[np.float64]:
        with torch.inference_mode():
            output = self.head(torch.from_numpy(features)[None])
        raw = output.mean[0].double().numpy()
        best = output.grippers[0].argmax(-1).tolist()
        if not deterministic:
            noise = self.explorer.noise(rng, len(raw))
            raw = raw + np.exp(output.log_std[0].double().numpy()) * noise
            best = self.explorer.choices(rng, best, len(GRIPPER_VALUES))
        return assemble(self.head.settings, np.tanh(raw), best)

    def candidates(
        self, features: NDArray[np.float32], count: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Around its mean, with the greatest deviation that a head may have; grippers by their
        probabilities.
        """
        with torch.inference_mode():
            output = self.head(torch.from_numpy(features)[None])
        mean = output.mean[0].double().numpy()
        axes = np.tanh(mean + np.exp(LOG_STD_MAX) * rng.standard_normal((count, len(mean))))
        return drawn(self.head.settings, axes, output.grippers[0], rng)


def picked(action: torch.Tensor, columns: Sequence[int]) -> torch.Tensor:
    """(batch, len(columns)) of an action (batch, size). A list of numbers as an index would be
    copied to a GPU, which waits for that.
    """
    if not columns:
        return action[:, :0]
    return torch.stack([action[:, column] for column in columns], -1)


def whole_action(shape: HeadSettings, axes: torch.Tensor, grippers: torch.Tensor) -> torch.Tensor:
    """(batch, columns) of axes (batch, axes), and of the order that each gripper's logits
    (batch, grippers, choices) prefer.
    """
    action = axes.new_zeros(len(axes), shape.size)
    action[:, list(shape.axes)] = axes
    if shape.gripper_columns:
        orders = torch.tensor(GRIPPER_VALUES, device=axes.device)[grippers.argmax(-1)]
        action[:, list(shape.gripper_columns)] = orders
    return action


def choices_of(shape: HeadSettings, action: torch.Tensor) -> torch.Tensor:
    """(batch, grippers) index into GRIPPER_VALUES of the nearest of close, stay, open."""
    orders = picked(action, shape.gripper_columns)
    return (orders.clamp(GRIPPER_VALUES[0], GRIPPER_VALUES[-1]).round() + 1).long()
