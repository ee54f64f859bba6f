"""A whole LeRobot policy as the frozen base of its fine-tuned versions. Importing this module loads
LeRobot: seconds.

Its `features` are one number: which of the moments that it keeps (robot_rl.policy.moments) an
observation is. A head on it (robot_rl.policy.tuned_head) says by how much each weight differs. The
base itself never changes, so that all versions share it.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.func import functional_call

from robot_rl.policy.interface import Observation
from robot_rl.policy.lerobot import LoadedPolicy
from robot_rl.policy.lerobot_features import load_described
from robot_rl.policy.manifest import BadCheckpoint, LeRobotBackbone
from robot_rl.policy.moments import Moments

KIND = "lerobot"
EXACT = 2**24  # whole numbers that a float32 holds
PADDED = "action_is_pad"  # of a batch: (batch, steps) bool, no action stands there
_HEED_IT = ("act", "smolvla")  # as of LeRobot 0.6.1
_GIVE_ERRORS = ("pi0", "pi05")  # whose inner model gives the error of each action, not yet averaged


class TunablePolicy:
    """`kind` lerobot; `sha256` is that of its model.safetensors."""

    kind = KIND
    size = 1

    def __init__(self, loaded: LoadedPolicy, sha256: str) -> None:
        config: Any = loaded.config
        steps = getattr(config, "chunk_size", None)
        if steps is None or getattr(config, "n_obs_steps", 1) != 1:
            raise BadCheckpoint(
                f"{loaded.source}: a {config.type} policy cannot be fine-tuned: policies that "
                "look at one moment and answer with a chunk can (chunk_size in config.json, "
                "n_obs_steps = 1), as SmolVLA, π0, π0.5 and ACT do"
            )
        if config.type not in (*_HEED_IT, *_GIVE_ERRORS):
            raise BadCheckpoint(
                f"{loaded.source}: a {config.type} policy cannot be fine-tuned, because its loss "
                "may also count what follows where a person let go; these can: "
                f"{', '.join((*_HEED_IT, *_GIVE_ERRORS))}"
            )
        self.loaded, self.sha256 = loaded, sha256
        self.chunk_size = int(steps)
        self.cameras = tuple(loaded.cameras.values())
        self.module: nn.Module = loaded.model
        self.moments = Moments()
        self._called = _Called(loaded.model)
        self._lock = threading.Lock()  # while a call runs, the module holds another's weights
        self._guided = False
        self._weights = dict(self.module.named_parameters())
        self._past_end = torch.zeros(0, 0, dtype=torch.bool)
        if config.type in _GIVE_ERRORS:
            self._mask_errors(loaded.model.model)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Heads are copied; the base is never, because it never changes."""
        del memo
        return self

    @property
    def weights(self) -> Mapping[str, torch.Tensor]:
        """Name → weight of the base."""
        return self._weights

    @property
    def device(self) -> torch.device:
        return next(iter(self._weights.values())).device

    def to(self, device: torch.device) -> None:
        """Parameters stay the same objects."""
        self.module.to(device)
        self.loaded.config.device = str(device)

    def matching(self, pattern: str, *, matrices: bool) -> tuple[str, ...]:
        """Names of the weights of the modules that a pattern names whole; without a pattern, of
        those that LeRobot itself would adapt, and of all where it names none.

        matrices: only those that a low rank can change. Raises BadCheckpoint: there are none.
        """
        wanted = pattern or self._default_pattern()
        found = tuple(
            name
            for name, weight in self._weights.items()
            if re.fullmatch(wanted, name.rpartition(".")[0])
            and (weight.ndim >= 2 or not matrices)
            and weight.is_floating_point()
        )
        if not found:
            modules = sorted({name.rpartition(".")[0] for name in self._weights})
            raise BadCheckpoint(
                f"{self.loaded.source}: no module of this policy is named {wanted!r} from its "
                f"first to its last letter (learner.targets); it has, among others: "
                f"{', '.join(modules[:: max(1, len(modules) // 6)][:6])}"
            )
        return found

    def _default_pattern(self) -> str:
        if "_get_default_peft_targets" not in vars(type(self.module)):
            return ".*"
        model: Any = self.module
        return model._get_default_peft_targets()["target_modules"]

    def call(self, name: str, weights: Mapping[str, torch.Tensor], *args: Any, **kwargs: Any):
        """A method of LeRobot's policy, with these weights in place of the base's own."""
        swapped = {f"policy.{key}": value for key, value in weights.items()}
        with self._lock:
            return functional_call(self._called, swapped, (name, *args), kwargs)

    def loss(self, weights: Mapping[str, torch.Tensor], batch: dict[str, Any]) -> torch.Tensor:
        """LeRobot's own, a mean over the actions that stand in the chunks (PADDED); with these
        weights.
        """
        swapped = {f"policy.{key}": value for key, value in weights.items()}
        with self._lock:
            self._past_end = batch[PADDED]
            loss, _ = functional_call(self._called, swapped, ("forward", batch))
        return loss

    def _mask_errors(self, inner: Any) -> None:
        """Of a model whose errors LeRobot averages over the padded actions too."""
        errors_of = inner.forward

        def masked(*args: Any, **kwargs: Any) -> torch.Tensor:
            errors, stands = errors_of(*args, **kwargs), ~self._past_end[..., None]
            return errors * stands * (stands.numel() / stands.sum().clamp(min=1))

        inner.forward = masked
        # What is computed again when gradients pass would be so with the base's own weights.
        inner.gradient_checkpointing_disable()

    def supports_rtc(self) -> bool:
        model: Any = self.module
        return bool(model.supports_rtc())

    def init_rtc_processor(self) -> None:
        """Once for all versions: another may be thinking."""
        if not self._guided:
            model: Any = self.module
            model.init_rtc_processor()
            self._guided = True

    # ---- as a backbone ---------------------------------------------------------------------------

    def features(self, observation: Observation) -> NDArray[np.float32]:
        number = self.moments.keep(observation, self.cameras)
        if number >= EXACT:
            raise OSError(27, f"more than {EXACT} moments are kept: start the learner anew")
        return np.array([number], np.float32)

    def features_of(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        return np.stack([self.features(each) for each in observations])

    def moments_of(self, features: torch.Tensor) -> list[Observation]:
        """What features (batch, 1) stand for."""
        return [self.moments.moment(int(number)) for number in features[:, 0].tolist()]


class _Called(nn.Module):
    """Any method of a policy as the one that `functional_call` calls."""

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.policy, name)(*args, **kwargs)


def load_tunable(folder: Path, described: LeRobotBackbone) -> TunablePolicy:
    """Raises BadCheckpoint."""
    return TunablePolicy(load_described(folder, described), described.sha256)
