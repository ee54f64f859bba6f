"""Pictures as another camera position, exposure or lamp would give them."""

import numpy as np
import torch
from torch import nn


def augment(
    images: torch.Tensor, rng: np.random.Generator, *, shift_px: int, brightness: float
) -> torch.Tensor:
    """Random shift, brightness and contrast per image: (batch, 3, px, px) in 0 … 1.

    `brightness`: colour jitter, ± this much, and as much contrast.
    """
    count, _, height, width = images.shape
    pad = shift_px
    if pad:
        padded = nn.functional.pad(images, (pad, pad, pad, pad), mode="replicate")
        tops, lefts = rng.integers(0, 2 * pad + 1, (2, count)).tolist()
        images = torch.stack(
            [
                padded[i, :, top : top + height, left : left + width]
                for i, (top, left) in enumerate(zip(tops, lefts, strict=True))
            ]
        )
    gain = torch.from_numpy(rng.uniform(1 - brightness, 1 + brightness, (count, 3, 1, 1))).float()
    offset = torch.from_numpy(rng.uniform(-brightness, brightness, (count, 1, 1, 1)) / 2).float()
    return (images * gain + offset).clamp(0.0, 1.0)
