"""A risk critic's weights as safetensors, with its shape, its calibration and what it stands on."""

from pydantic import ValidationError
from safetensors.torch import save as save_tensors

from robot_rl.policy.interface import Backbone
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.risk_critic import RiskNet, RiskSettings
from robot_rl.policy.weights import load_into, read_metadata, tensors_of

_KEY, _STANDS_ON = "robot_rl.risk", "robot_rl.backbone_sha256"


def encode_risk(net: RiskNet, settings: RiskSettings, backbone_sha256: str) -> bytes:
    """Weights, shape and calibration as one safetensors file."""
    metadata = {_KEY: settings.model_dump_json(), _STANDS_ON: backbone_sha256}
    return save_tensors(tensors_of(net), metadata)


def decode_risk(
    data: bytes, backbone: Backbone, action: int, name: str
) -> tuple[RiskNet, RiskSettings]:
    """A critic that stands on this backbone and judges actions of so many columns.

    Raises BadCheckpoint.
    """
    metadata = read_metadata(data, name)
    try:
        settings = RiskSettings.model_validate_json(metadata[_KEY])
        stands_on = metadata[_STANDS_ON]
    except (KeyError, ValidationError) as error:
        raise BadCheckpoint(f"{name}: it does not say which risk critic it holds") from error
    if stands_on != backbone.sha256:
        raise BadCheckpoint(
            f"{name}: its risk critic was trained on backbone {stands_on[:12]}, and "
            f"{backbone.sha256[:12]} is loaded here"
        )
    if (settings.features, settings.action) != (backbone.size, action):
        raise BadCheckpoint(
            f"{name}: its risk critic takes {settings.features} features and {settings.action} "
            f"columns of an action, and this policy has {backbone.size} and {action}"
        )
    net = RiskNet(settings.features, settings.action, settings.width)
    load_into(net, data, name)
    return net.eval().requires_grad_(False), settings
