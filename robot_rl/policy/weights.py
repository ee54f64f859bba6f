"""Weights as safetensors: a head's file says which shape it has and which backbone it stands on, so
that a robot refuses one that does not fit. No pickle anywhere.
"""

import json
from collections.abc import Mapping

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from robot_rl.policy.folder import sha256_of
from robot_rl.policy.head import HeadSettings
from robot_rl.policy.heads import AnyHead, new_head
from robot_rl.policy.interface import Backbone
from robot_rl.policy.keypoint_cnn import KeypointNet
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.tuned_head import TunedHead, TunedSettings, tunable


def sha256_of_net(net: KeypointNet) -> str:
    """As it will stand in the manifest of a checkpoint with this encoder."""
    return sha256_of(save_tensors(tensors_of(net)))


def encode_head(head: AnyHead, backbone_sha256: str) -> bytes:
    """Weights and shape as one safetensors file."""
    metadata = {
        "robot_rl.head": head.settings.model_dump_json(),
        "robot_rl.backbone_sha256": backbone_sha256,
    }
    return save_tensors(tensors_of(head), metadata)


def decode_head(data: bytes, backbone: Backbone, name: str = "the policy") -> AnyHead:
    """A head that stands on this backbone, from its bytes. Raises BadCheckpoint."""
    metadata = read_metadata(data, name)
    try:
        shape = metadata["robot_rl.head"]
        tuned = '"kind":"tuned"' in shape
        settings = (TunedSettings if tuned else HeadSettings).model_validate_json(shape)
        standing_on = metadata["robot_rl.backbone_sha256"]
    except (KeyError, ValidationError) as error:
        raise BadCheckpoint(
            f"{name}: the file does not say which shape the head has; "
            "it was not written by robot-rl"
        ) from error
    if standing_on != backbone.sha256:
        raise BadCheckpoint(
            f"{name}: it was trained on backbone {standing_on[:12]}, and {backbone.sha256[:12]} is "
            "loaded here; the two files belong to different policies"
        )
    if settings.features != backbone.size:  # before memory is taken for it
        raise BadCheckpoint(
            f"{name}: the head takes {settings.features} features and the backbone gives "
            f"{backbone.size}; the two files belong to different policies"
        )
    if isinstance(settings, TunedSettings):
        head: AnyHead = TunedHead(settings, tunable(backbone, name))
    else:
        head = new_head(settings)
    load_into(head, data, name)
    return head


def read_metadata(data: bytes, name: str) -> Mapping[str, str]:
    """The string metadata of a safetensors file. Raises BadCheckpoint."""
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length]) if length <= len(data) - 8 else None
    except (ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{name}: it is damaged: its header cannot be read") from error
    if not isinstance(header, dict):
        raise BadCheckpoint(f"{name}: it is damaged or cut off; copy or train it again")
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def load_into(module: nn.Module, data: bytes, name: str) -> None:
    """Fill a module with the tensors of a safetensors file. Raises BadCheckpoint."""
    fill(module, read_tensors(data, name), name)


def read_tensors(data: bytes, name: str) -> dict[str, torch.Tensor]:
    """Those of a safetensors file. Raises BadCheckpoint."""
    try:
        return load_tensors(data)
    except SafetensorError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadCheckpoint(f"{name}: its tensors cannot be read: {reason}") from error


def fill(module: nn.Module, tensors: Mapping[str, torch.Tensor], name: str) -> None:
    """Fill a module with tensors by name. Raises BadCheckpoint."""
    try:
        module.load_state_dict(dict(tensors))
    except (RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadCheckpoint(f"{name}: its tensors do not fit: {reason}") from error
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BadCheckpoint(f"{name}: the tensor {key} holds values that are not finite")


def tensors_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {key: tensor.detach().contiguous().cpu() for key, tensor in module.state_dict().items()}
