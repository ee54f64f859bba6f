"""What fine-tuning changed in a LeRobot policy, as the head of a version: all that trains, and all
that is sent. The policy itself is the version's backbone, frozen, and sent once.

  W = W₀ + up·down   (rank > 0: LoRA, Hu et al. 2021)      W = W₀ + Δ   (rank 0: the whole weight)

`up` and Δ begin as zeros: a head that learned nothing is the base, exactly. There is no peft here:
it would put modules of its own into the policy, whose weights then have other names, while robot,
learner and the head that was published before share one base. The learner computes with the same
sums of weights as the robot.

Nothing here loads LeRobot; who makes such a head has loaded it with the backbone.
"""

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from robot_rl.config.action import ActionSpace
from robot_rl.policy.explorer import Explorer
from robot_rl.policy.head import GRIPPER_VALUES, ActingPolicy, HeadKind, HeadSettings
from robot_rl.policy.interface import Backbone, Chunk, Observation, RunningChunk
from robot_rl.policy.manifest import BadCheckpoint

if TYPE_CHECKING:
    from robot_rl.policy.tunable import TunablePolicy

KIND = "tuned"
_DOWN, _UP, _WHOLE = "/down", "/up", "/whole"
"""After a weight's name, in which a dot is a slash: the names of a head's tensors."""


class TunedSettings(HeadSettings):
    """`weights`: which of the base change; none: it acts as it is."""

    kind: HeadKind = KIND
    features: Annotated[int, Field(ge=1)] = 1
    space: str  # the task's action space (ActionSpace) as JSON
    rank: Annotated[int, Field(ge=0, le=256)] = 0
    weights: tuple[str, ...] = ()

    @property
    def action(self) -> ActionSpace:
        return ActionSpace.model_validate_json(self.space)


def untuned(action: ActionSpace) -> TunedSettings:
    """Of the base as it is, for a task with this action."""
    return TunedSettings(
        size=action.size,
        axes=action.active_axes,
        gripper_columns=action.gripper_columns if action.gripper else (),
        space=action.model_dump_json(exclude_unset=True),
    )


class TunedHead(nn.Module):
    """Differences of a base's weights."""

    def __init__(self, settings: TunedSettings, base: "TunablePolicy") -> None:
        """Raises BadCheckpoint: the base has no such weight."""
        super().__init__()
        self.settings, self._base = settings, base
        for name in settings.weights:
            weight = base.weights.get(name)
            if weight is None or (settings.rank and weight.ndim < 2):
                raise BadCheckpoint(
                    f"{base.loaded.source}: it has no weight {name} that a fine-tuned version "
                    "could change; the two belong to different policies"
                )
            key = name.replace(".", "/")
            if not settings.rank:
                self.register_parameter(key + _WHOLE, nn.Parameter(_zeros(weight.shape)))
                continue
            outputs, inputs = weight.flatten(1).shape
            down = nn.Parameter(_zeros((settings.rank, inputs)))
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            self.register_parameter(key + _DOWN, down)
            self.register_parameter(key + _UP, nn.Parameter(_zeros((outputs, settings.rank))))

    @property
    def base(self) -> "TunablePolicy":
        return self._base

    def weights(self) -> dict[str, torch.Tensor]:
        """Name → W of the weights that change; gradients pass to what trains."""
        found: dict[str, torch.Tensor] = {}
        for name in self.settings.weights:
            weight, key = self._base.weights[name], name.replace(".", "/")
            if self.settings.rank:
                down, up = self.get_parameter(key + _DOWN), self.get_parameter(key + _UP)
                change = (up @ down).reshape(weight.shape)
            else:
                change = self.get_parameter(key + _WHOLE)
            found[name] = weight + change.to(weight)
        return found

    @torch.no_grad()
    def decision(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The first actions of its chunks without noise of chance: (batch, axes) −1 … 1, and the
        grippers' logits, 1 for the order and else 0.
        """
        policy, shape = acting(self), self.settings
        rng = np.random.default_rng(0)
        actions = [
            policy.act(each, rng, deterministic=True).actions[0]
            for each in self._base.moments_of(features)
        ]
        first = torch.from_numpy(np.stack(actions)).to(features)
        orders = first[:, list(shape.gripper_columns)]
        values = torch.tensor(GRIPPER_VALUES).to(features)
        return first[:, list(shape.axes)], (orders[..., None] == values).to(features)


def acting(head: TunedHead) -> Any:
    """A `robot_rl.policy.lerobot.LeRobotPolicy` with the weights that the head has now."""
    from robot_rl.policy.lerobot import LeRobotPolicy  # loaded already, by the base

    loaded = copy.copy(head.base.loaded)
    with torch.no_grad():
        weights = {name: weight.detach() for name, weight in head.weights().items()}
    loaded.model = cast("Any", _Model(head.base, weights))
    return LeRobotPolicy(loaded, head.settings.action)


class _Model:
    """The base with other weights, as far as LeRobot's policies are asked when they act."""

    def __init__(self, base: "TunablePolicy", weights: Mapping[str, torch.Tensor]) -> None:
        self._base, self._weights = base, weights

    def predict_action_chunk(self, batch: Mapping[str, Any], **kwargs: Any) -> torch.Tensor:
        """(batch, steps, action)."""
        moved = on_device(batch, self._base.device)
        return self._base.call("predict_action_chunk", self._weights, moved, **kwargs).cpu()

    def supports_rtc(self) -> bool:
        return self._base.supports_rtc()

    def init_rtc_processor(self) -> None:
        self._base.init_rtc_processor()

    def reset(self) -> None:
        self._base.call("reset", {})


class TunedPolicy(ActingPolicy[TunedHead]):
    """Acts as the LeRobot policy does, with other weights. It tries what its own noise gives: the
    explorer is not asked, and candidates are draws of other noise.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: TunedHead,
        version: int | None = None,
        explorer: Explorer | None = None,
    ) -> None:
        super().__init__(backbone, head, version, explorer)
        self._acting = acting(head)

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        self._acting.version = self.version
        return self._acting.act(observation, rng, deterministic=deterministic)

    def can_go_on(self, running: RunningChunk) -> bool:
        return self._acting.can_go_on(running)

    def go_on(
        self,
        observation: Observation,
        rng: np.random.Generator,
        running: RunningChunk,
        *,
        deterministic: bool = False,
    ) -> Chunk:
        self._acting.version = self.version
        return self._acting.go_on(observation, rng, running, deterministic=deterministic)

    def decide(
        self, features: NDArray[np.float32], rng: np.random.Generator, *, deterministic: bool
    ) -> NDArray[np.float64]:
        (seen,) = self.head.base.moments_of(torch.from_numpy(features)[None])
        return self.act(seen, rng, deterministic=deterministic).actions[0]

    def candidates(
        self, features: NDArray[np.float32], count: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        drawn = [self.decide(features, rng, deterministic=False) for _ in range(count)]
        return np.stack(drawn)

    def reset(self) -> None:
        super().reset()
        self._acting.reset()


def tunable(backbone: Backbone, name: str) -> "TunablePolicy":
    """A backbone as the base of a fine-tuned head. Raises BadCheckpoint."""
    if backbone.kind != "lerobot":
        raise BadCheckpoint(
            f"{name}: it fine-tunes a whole LeRobot policy, and it lies beside a {backbone.kind} "
            "backbone; the two files belong to different policies"
        )
    return cast("TunablePolicy", backbone)


def on_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    return {
        key: value.to(device) if isinstance(value, torch.Tensor) else value
        for key, value in batch.items()
    }


def _zeros(shape: torch.Size | tuple[int, ...]) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.float32)
