"""A small image encoder: per camera a few convolutions and a spatial softmax, plus proprioception.

Spatial softmax (Levine et al. 2016): each channel answers with the image position where it is most
active, so that a few dozen numbers say where things are. Frozen once cloning has trained it: its
features are cached on arrival. A task without cameras leaves proprioception and the subgoal.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robot_rl.policy.images import pick_images
from robot_rl.policy.interface import BadObservation, Observation
from robot_rl.policy.manifest import KeypointSettings

KIND = "keypoint_cnn"
FEATURE_CLIP = 5.0  # standard deviations; bounds the effect of a view never seen before


class CameraEncoder(nn.Module):
    """(batch, 3, px, px) in 0 … 1 → (batch, 2 · keypoints) positions in −1 … 1, x then y."""

    def __init__(self, settings: KeypointSettings) -> None:
        super().__init__()
        wide = settings.channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, wide // 2, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(wide // 2, wide, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(wide, settings.keypoints, 1),
        )
        side = settings.image_px // 4
        line = torch.linspace(-1.0, 1.0, side)
        self.register_buffer("grid_x", line.repeat(side), persistent=False)
        self.register_buffer("grid_y", line.repeat_interleave(side), persistent=False)
        self.grid_x: torch.Tensor
        self.grid_y: torch.Tensor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        weights = torch.softmax(self.convolutions(images - 0.5).flatten(2), dim=-1)
        return torch.cat([weights @ self.grid_x, weights @ self.grid_y], dim=-1)


class KeypointNet(nn.Module):
    """The trainable whole: keypoints of every camera, subgoal, proprioception → features."""

    def __init__(self, settings: KeypointSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoders = nn.ModuleList([CameraEncoder(settings) for _ in settings.cameras])
        proprioception = len(settings.proprioception)
        self.subgoal = nn.Sequential(
            nn.Linear(settings.keypoint_features + proprioception, settings.subgoal_width),
            nn.ReLU(),
            nn.Linear(settings.subgoal_width, settings.subgoal),
        )
        for name, size in (("state", proprioception), ("feature", settings.size)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))
        self.state_mean: torch.Tensor
        self.state_std: torch.Tensor
        self.feature_mean: torch.Tensor
        self.feature_std: torch.Tensor
        sizes = (settings.keypoint_features, settings.subgoal, proprioception)
        weights = [torch.full((n,), w) for n, w in zip(sizes, settings.weights, strict=True)]
        self.register_buffer("feature_weight", torch.cat(weights), persistent=False)
        self.feature_weight: torch.Tensor

    def raw(self, images: Sequence[torch.Tensor], state: torch.Tensor) -> torch.Tensor:
        """Before standardisation: (batch, 3, px, px) per camera, (batch, proprioception) in SI."""
        normal = (state - self.state_mean) / self.state_std
        normal = normal.clamp(-FEATURE_CLIP, FEATURE_CLIP)
        keypoints = [encode(image) for encode, image in zip(self.encoders, images, strict=True)]
        subgoal = self.subgoal(torch.cat([*keypoints, normal], dim=-1))
        return torch.cat([*keypoints, subgoal, normal], dim=-1)

    def forward(self, images: Sequence[torch.Tensor], state: torch.Tensor) -> torch.Tensor:
        return self.standardised(self.raw(images, state))

    def standardised(self, raw: torch.Tensor) -> torch.Tensor:
        """Features of raw ones."""
        normal = ((raw - self.feature_mean) / self.feature_std).clamp(-FEATURE_CLIP, FEATURE_CLIP)
        return normal * self.feature_weight

    def subgoal_of(self, raw: torch.Tensor) -> torch.Tensor:
        """The subgoal part of raw features."""
        start = self.settings.keypoint_features
        return raw[..., start : start + self.settings.subgoal]


class KeypointCnn:
    """A frozen `KeypointNet` as a backbone."""

    kind = KIND

    def __init__(self, net: KeypointNet, sha256: str) -> None:
        self.net = self.module = net.eval().requires_grad_(False)
        self.sha256 = sha256
        self.settings = net.settings
        self.cameras = net.settings.cameras
        self.size = net.settings.size
        self._picks: dict[tuple[str, ...], list[int]] = {}

    def features(self, observation: Observation) -> NDArray[np.float32]:
        return self.features_of([observation])[0]

    def features_of(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        images = [
            pick_images(each.images, self.cameras, self.settings.image_px) for each in observations
        ]
        states = np.stack([each.state[self._pick(each.state_names)] for each in observations])
        if not np.all(np.isfinite(states)):
            raise BadObservation("the state vector holds a value that is not finite")
        with torch.inference_mode():
            planes = [to_planes(np.stack(of_camera)) for of_camera in zip(*images, strict=True)]
            return self.net(planes, torch.from_numpy(states.astype(np.float32))).numpy()

    def _pick(self, names: tuple[str, ...]) -> list[int]:
        """Where the proprioception stands in the named state."""
        found = self._picks.get(names)
        if found is None:
            missing = [name for name in self.settings.proprioception if name not in names]
            if missing:
                raise BadObservation(f"the observation has no state named {', '.join(missing)}")
            found = [names.index(name) for name in self.settings.proprioception]
            self._picks[names] = found
        return found


def to_planes(images: NDArray[np.uint8]) -> torch.Tensor:
    """(batch, height, width, 3) uint8 → (batch, 3, height, width) float32 in 0 … 1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255.0)
