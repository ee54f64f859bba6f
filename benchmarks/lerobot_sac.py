"""LeRobot's own SAC (its HIL-SERL) as a peer: its policy, its replay buffer, its mixer of halves.

Nothing of it is copied or stripped: one `step` is one call of its `update` at UTD 2, sampling
included.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.gaussian_actor.configuration_gaussian_actor import GaussianActorConfig
from lerobot.policies.gaussian_actor.modeling_gaussian_actor import GaussianActorPolicy
from lerobot.rl.algorithms.sac.configuration_sac import SACAlgorithmConfig
from lerobot.rl.algorithms.sac.sac_algorithm import SACAlgorithm
from lerobot.rl.buffer import ReplayBuffer, random_shift
from lerobot.rl.data_sources.data_mixer import OnlineOfflineMixer

STATE = "observation.state"
AXES, GRIPPER_CHOICES = 3, 3
UTD, DISCOUNT, TEMPERATURE = 2, 0.97, 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """encoder: folder of a frozen vision encoder for `transformers`; None with cameras: LeRobot's
    own convolutions, trained.
    """

    state: int
    batch: int
    cameras: tuple[str, ...] = ()
    image_px: int = 128
    encoder: Path | None = None
    transitions: int = 512  # in each of the two buffers

    @property
    def image_keys(self) -> tuple[str, ...]:
        return tuple(f"observation.images.{camera}" for camera in self.cameras)


@dataclass(slots=True)
class Peer:
    """`step`: the updates that one environment step costs."""

    algorithm: SACAlgorithm
    online: ReplayBuffer
    offline: ReplayBuffer
    batches: Iterator[Any] = field(repr=False)

    def step(self) -> None:
        self.algorithm.update(self.batches)

    @property
    def bytes_per_transition(self) -> float:
        """Of the online buffer's tensors."""
        buffer = self.online
        named = (buffer.states, buffer.next_states, buffer.complementary_info)
        tensors = [tensor for each in named for tensor in each.values()]
        tensors += [buffer.actions, buffer.rewards, buffer.dones, buffer.truncateds]
        return sum(tensor.nbytes for tensor in tensors) / buffer.capacity


def make_peer(settings: PeerSettings, seed: int) -> Peer:
    torch.manual_seed(seed)
    shape = _policy_config(settings)
    policy, config = GaussianActorPolicy(shape), SACAlgorithmConfig.from_policy_config(shape)
    config.utd_ratio, config.discount, config.temperature_init = UTD, DISCOUNT, TEMPERATURE
    algorithm = SACAlgorithm(policy, config)
    algorithm.make_optimizers_and_scheduler()
    online, offline = _filled(settings), _filled(settings)
    mixer = OnlineOfflineMixer(online, offline, 0.5)
    batches = mixer.get_iterator(settings.batch, async_prefetch=False)
    return Peer(algorithm=algorithm, online=online, offline=offline, batches=batches)


def _policy_config(settings: PeerSettings) -> GaussianActorConfig:
    """Two hidden layers of 256 in every network, as it is by default."""
    px = settings.image_px
    images = {key: PolicyFeature(FeatureType.VISUAL, (3, px, px)) for key in settings.image_keys}
    return GaussianActorConfig(
        input_features={STATE: PolicyFeature(FeatureType.STATE, (settings.state,)), **images},
        output_features={"action": PolicyFeature(FeatureType.ACTION, (AXES,))},
        device="cpu",
        num_discrete_actions=GRIPPER_CHOICES,
        freeze_vision_encoder=settings.encoder is not None,
        vision_encoder_name=None if settings.encoder is None else str(settings.encoder),
    )


def _filled(settings: PeerSettings) -> ReplayBuffer:
    """With random transitions; images are augmented by its random shift when they are sampled."""
    buffer = ReplayBuffer(
        settings.transitions,
        device="cpu",
        state_keys=[STATE, *settings.image_keys],
        storage_device="cpu",
        use_drq=bool(settings.cameras),
        image_augmentation_function=random_shift,  # by default it is compiled, for GPUs
    )
    for _ in range(settings.transitions):
        action = torch.rand(1, AXES + 1) * 2 - 1
        action[:, -1] = torch.randint(0, GRIPPER_CHOICES, (1,))
        buffer.add(
            _observation(settings),
            action,
            0.0,
            _observation(settings),
            done=False,
            truncated=False,
            complementary_info={"discrete_penalty": torch.tensor([-0.02])},
        )
    return buffer


def _observation(settings: PeerSettings) -> dict[str, torch.Tensor]:
    px = settings.image_px
    images = {key: torch.rand(1, 3, px, px) for key in settings.image_keys}
    return {STATE: torch.randn(1, settings.state), **images}
