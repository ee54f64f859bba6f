"""A risk critic's weights as safetensors, with its shape, its calibration and what it stands on."""

from collections.abc import Mapping

import torch
from pydantic import ValidationError
from safetensors.torch import save as save_tensors

from robot_rl.policy.interface import Backbone
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.risk_critic import (
    ActionValues,
    Recovery,
    RiskNet,
    RiskParts,
    RiskSettings,
)
from robot_rl.policy.weights import fill, read_metadata, read_tensors, tensors_of

_KEY, _STANDS_ON = "robot_rl.risk", "robot_rl.backbone_sha256"
_RECOVERY, _VALUES = "recovery.", "policy_values."


def encode_risk(parts: RiskParts, backbone_sha256: str) -> bytes:
    """Weights, shape and calibration as one safetensors file."""
    settings = parts.settings.model_dump_json(exclude_defaults=True)
    tensors = tensors_of(parts.net)
    for prefix, module in ((_RECOVERY, parts.recovery), (_VALUES, parts.values)):
        named = {} if module is None else tensors_of(module)
        tensors |= {f"{prefix}{key}": tensor for key, tensor in named.items()}
    return save_tensors(tensors, {_KEY: settings, _STANDS_ON: backbone_sha256})


def decode_risk(data: bytes, backbone: Backbone, action: int, name: str) -> RiskParts:
    """A critic that stands on this backbone and judges actions of so many columns, and what travels
    with it.

    Raises BadCheckpoint.
    """
    settings = read_risk_settings(data, backbone.sha256, name)
    if (settings.features, settings.action) != (backbone.size, action):
        raise BadCheckpoint(
            f"{name}: its risk critic takes {settings.features} features and {settings.action} "
            f"columns of an action, and this policy has {backbone.size} and {action}"
        )
    return decode_parts(data, settings, name)


def read_risk_settings(data: bytes, backbone_sha256: str, name: str) -> RiskSettings:
    """Of a critic that stands on this backbone. Raises BadCheckpoint."""
    metadata = read_metadata(data, name)
    try:
        settings = RiskSettings.model_validate_json(metadata[_KEY])
        stands_on = metadata[_STANDS_ON]
    except (KeyError, ValidationError) as error:
        raise BadCheckpoint(f"{name}: it does not say which risk critic it holds") from error
    if stands_on != backbone_sha256:
        raise BadCheckpoint(
            f"{name}: its risk critic was trained on backbone {stands_on[:12]}, and "
            f"{backbone_sha256[:12]} is loaded here"
        )
    if settings.axes and max(settings.axes) >= settings.action:
        raise BadCheckpoint(
            f"{name}: its recovery policy moves the columns {settings.axes}, and an action has "
            f"{settings.action}"
        )
    return settings


def decode_parts(data: bytes, settings: RiskSettings, name: str) -> RiskParts:
    """The networks in a file with these settings. Raises BadCheckpoint."""
    tensors = read_tensors(data, name)
    features, axes, width = settings.features, settings.axes, settings.width
    recovery, values = _under(_RECOVERY, tensors), _under(_VALUES, tensors)
    own = {key: each for key, each in tensors.items() if not key.startswith((_RECOVERY, _VALUES))}
    made = RiskParts(
        settings=settings,
        net=RiskNet(features, settings.action, width),
        recovery=Recovery(features, settings.action, axes, width) if axes else None,
        values=None
        if settings.value_width is None
        else ActionValues(_members(values), features, axes, settings.value_width),
    )
    for module, found in ((made.net, own), (made.recovery, recovery), (made.values, values)):
        if module is not None:
            fill(module, found, name)
            module.eval().requires_grad_(False)
    return made


def _members(values: Mapping[str, torch.Tensor]) -> int:
    """How many of the policy's critics are in the file."""
    return next((len(tensor) for tensor in values.values() if tensor.ndim), 1)


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): each for key, each in tensors.items() if key.startswith(prefix)
    }
