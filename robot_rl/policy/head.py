"""The part that trains and travels: SAC actor and three-way gripper."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from robot_rl.policy.interface import ACTION_SIZE, Backbone, Chunk, Observation
from robot_rl.policy.networks import mlp
from robot_rl.schema.message import Message

LOG_STD_MIN, LOG_STD_MAX = -5.0, -1.2  # at most 0.3: a robot explores beside what it knows
GRIPPER_VALUES = (-1.0, 0.0, 1.0)
"""Close, stay, open: the order of the gripper head's outputs."""


class HeadSettings(Message):
    """Shape of the head; travels in the metadata of its weights."""

    features: Annotated[int, Field(ge=1)]
    axes: Annotated[tuple[Annotated[int, Field(ge=0, le=5)], ...], Field(min_length=1)]
    gripper: bool
    width: Annotated[int, Field(ge=16, le=1024)] = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOutput:
    """Before squashing and sampling."""

    mean: torch.Tensor  # (batch, axes)
    log_std: torch.Tensor  # (batch, axes)
    gripper: torch.Tensor | None  # (batch, 3) logits


class Head(nn.Module):
    """(batch, features) → distribution over actions."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.settings = settings
        axes = len(settings.axes)
        self.trunk = mlp(settings.features, settings.width)
        self.mean = nn.Linear(settings.width, axes)
        self.log_std = nn.Linear(settings.width, axes)
        nn.init.zeros_(self.log_std.weight)
        nn.init.constant_(self.log_std.bias, -2.3)
        self.gripper = nn.Linear(settings.width, 3) if settings.gripper else None

    def forward(self, features: torch.Tensor) -> HeadOutput:
        hidden = self.trunk(features)
        return HeadOutput(
            mean=self.mean(hidden),
            log_std=self.log_std(hidden).clamp(LOG_STD_MIN, LOG_STD_MAX),
            gripper=None if self.gripper is None else self.gripper(hidden),
        )


class HeadPolicy:
    """A frozen backbone with a head; another version is another one of these."""

    def __init__(self, backbone: Backbone, head: Head, version: int | None = None) -> None:
        self.backbone = backbone
        self.head = head.eval().requires_grad_(False)
        self.version = version

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        features = self.backbone.features(observation)
        action = self.decide(features, rng, deterministic=deterministic)
        return Chunk(actions=action[None], version=self.version)

    def decide(
        self, features: NDArray[np.float32], rng: np.random.Generator, *, deterministic: bool
    ) -> NDArray[np.float64]:
        """(7,) action for features already at hand. The gripper always takes its best choice."""
        with torch.inference_mode():
            output = self.head(torch.from_numpy(features)[None])
        raw = output.mean[0].double().numpy()
        if not deterministic:
            raw = raw + np.exp(output.log_std[0].double().numpy()) * rng.standard_normal(len(raw))
        action = np.zeros(ACTION_SIZE)
        action[list(self.head.settings.axes)] = np.tanh(raw)
        if output.gripper is not None:
            action[-1] = GRIPPER_VALUES[int(output.gripper[0].argmax())]
        return action

    def reset(self) -> None:
        """Nothing is carried from step to step."""
