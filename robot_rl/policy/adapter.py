"""What training changed in a frozen backbone, as low-rank differences of its weights (LoRA, Hu et
al. 2021): W + up · down, merged when the policy is built, so that acting costs nothing more.
"""

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from robot_rl.policy.manifest import BadCheckpoint

_DOWN, _UP = ".down", ".up"


def encode_adapter(pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> bytes:
    """Name of a weight (out, …) → (down (rank, inputs), up (out, rank)), as one safetensors file;
    the inputs of a convolution count its channels and kernel together.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, (down, up) in pairs.items():
        tensors[name + _DOWN] = down.detach().contiguous().cpu()
        tensors[name + _UP] = up.detach().contiguous().cpu()
    return save(tensors)


def merge(module: nn.Module, data: bytes, name: str) -> None:
    """Add an adapter to a module's weights. Raises BadCheckpoint, and nothing has changed."""
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise BadCheckpoint(f"{name}: it is damaged or cut off: {error}") from error
    weights = dict(module.named_parameters())
    changes: dict[str, torch.Tensor] = {}
    for key in sorted(key.removesuffix(_DOWN) for key in tensors if key.endswith(_DOWN)):
        down, up, weight = tensors[key + _DOWN], tensors.get(key + _UP), weights.get(key)
        if weight is None or up is None:
            raise BadCheckpoint(f"{name}: it changes {key}, which this backbone does not have")
        fits = up.ndim == down.ndim == 2 <= weight.ndim and up.shape[1] == down.shape[0]
        if not fits or (up.shape[0], down.shape[1]) != weight.flatten(1).shape:
            raise BadCheckpoint(
                f"{name}: its change of {key} is {tuple(up.shape)} · {tuple(down.shape)}, and the "
                f"weight is {tuple(weight.shape)}: it was trained on another backbone"
            )
        change = (up.to(weight) @ down.to(weight)).reshape(weight.shape)
        if not bool(torch.isfinite(change).all()):
            raise BadCheckpoint(f"{name}: its change of {key} holds values that are not finite")
        changes[key] = change
    if 2 * len(changes) != len(tensors) or not changes:
        raise BadCheckpoint(f"{name}: this is not a low-rank adapter of robot-rl")
    with torch.no_grad():
        for key, change in changes.items():
            weights[key].add_(change)
