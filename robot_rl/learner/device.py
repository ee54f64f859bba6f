"""Where the learner's arithmetic runs, chosen once when it starts."""

import torch


def best_device() -> torch.device:
    """The first CUDA device, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
