"""Whether the task is done, by what the cameras show: one small network on pictures alone.

Per camera four convolutions that halve the picture; what is left of where things are goes flat into
two layers that all cameras share. It sees no state of the arm: a hand that is lifted without the
object must not look like a success.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as save_tensors
from torch import nn

from robot_rl.config.task import Task
from robot_rl.policy.images import pick_images
from robot_rl.policy.keypoint_cnn import to_planes
from robot_rl.policy.manifest import loading
from robot_rl.policy.success_manifest import (
    SuccessSettings,
    check_fits,
    classifier_folder,
    read_classifier,
)
from robot_rl.policy.weights import load_into, tensors_of

_HALVINGS = 4
_LAST_CHANNELS = 8  # of the flat rest of a picture


class SuccessNet(nn.Module):
    """(batch, 3, px, px) in 0 … 1 per camera → (batch,) logits of success."""

    def __init__(self, settings: SuccessSettings) -> None:
        super().__init__()
        self.settings = settings
        wide = settings.channels
        self.encoders = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(3, wide, 5, stride=2, padding=2),
                    nn.ReLU(),
                    nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1),
                    nn.ReLU(),
                    nn.Conv2d(2 * wide, 2 * wide, 3, stride=2, padding=1),
                    nn.ReLU(),
                    nn.Conv2d(2 * wide, 2 * wide, 3, stride=2, padding=1),
                    nn.ReLU(),
                    nn.Conv2d(2 * wide, _LAST_CHANNELS, 1),
                    nn.Flatten(),
                )
                for _ in settings.cameras
            ]
        )
        side = settings.image_px // 2**_HALVINGS
        flat = _LAST_CHANNELS * side**2 * len(settings.cameras)
        self.judge = nn.Sequential(
            nn.LayerNorm(flat),
            nn.Dropout(0.2),
            nn.Linear(flat, settings.width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(settings.width, 1),
        )

    def forward(self, images: Sequence[torch.Tensor]) -> torch.Tensor:
        flat = [encode(image - 0.5) for encode, image in zip(self.encoders, images, strict=True)]
        return self.judge(torch.cat(flat, dim=-1)).squeeze(-1)


@dataclass(frozen=True, slots=True)
class SuccessClassifier:
    """A trained network that judges."""

    net: SuccessNet
    threshold: float  # of its probability, for a success
    consecutive: int  # frames in a row at or above it

    def probability(self, images: Mapping[str, NDArray[np.uint8]]) -> float:
        """Of success, by the pictures of one moment. Raises BadObservation: a camera is missing."""
        settings = self.net.settings
        squares = pick_images(images, settings.cameras, settings.image_px)
        with torch.inference_mode():
            logit = self.net([to_planes(picture[None]) for picture in squares])
            return float(torch.sigmoid(logit)[0])


def encode_net(net: SuccessNet) -> bytes:
    return save_tensors(tensors_of(net))


def load_classifier(task: Task) -> SuccessClassifier | None:
    """That of the task file, ready to judge; None where it names none. Raises BadCheckpoint."""
    choice = task.reward.classifier
    if choice is None:
        return None
    manifest, weights = read_classifier(classifier_folder(task), choice.sha256)
    check_fits(manifest, task)
    net = SuccessNet(manifest.settings)
    with loading(f"{manifest.file.name} cannot be loaded", "copy it again, or train another"):
        load_into(net, weights, manifest.file.name)
    return SuccessClassifier(
        net=net.eval().requires_grad_(False),
        threshold=choice.threshold or manifest.threshold,
        consecutive=choice.consecutive,
    )
