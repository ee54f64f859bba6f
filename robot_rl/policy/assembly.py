"""From the parts of a version to a policy that acts."""

from pathlib import Path

from pydantic import ValidationError

from robot_rl.policy.adapter import merge
from robot_rl.policy.folder import BACKBONE, HEAD, MODEL, file_sha256, sha256_of
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.interface import AdaptableBackbone, Backbone
from robot_rl.policy.keypoint_cnn import KIND as KEYPOINT_CNN
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet
from robot_rl.policy.manifest import BadCheckpoint, KeypointSettings, loading
from robot_rl.policy.parts import (
    ADAPTER,
    ADAPTER_KIND,
    FOLDER,
    HEAD_KINDS,
    RISK,
    RISK_KIND,
    SETTINGS,
)
from robot_rl.policy.risk_critic import RiskParts
from robot_rl.policy.risk_weights import decode_risk
from robot_rl.policy.weights import decode_head, load_into
from robot_rl.schema.policy import Part, PolicyManifest

SMOLVLA, LEROBOT = "smolvla", "lerobot"
_PUBLISH_AGAIN = "publish the policy again"


def load_encoder(folder: Path, manifest: PolicyManifest) -> Backbone:
    """Backbone and adapter of a version that lies in `folder`; seconds for a large one.

    Raises BadCheckpoint.
    """
    with loading(f"{folder}: its backbone cannot be loaded", _PUBLISH_AGAIN):
        return _encoder(folder, manifest)


def _encoder(folder: Path, manifest: PolicyManifest) -> Backbone:
    part = manifest.backbone
    if not part.files:
        raise BadCheckpoint(
            f"it stands on the backbone {part.sha256[:12]}…, which is neither on the server nor "
            "in this robot's starting policy: start the robot from the policy folder that the "
            "learner was started from"
        )
    if part.kind == KEYPOINT_CNN:
        backbone: AdaptableBackbone = _keypoint_cnn(folder, part)
    elif part.kind == SMOLVLA:
        backbone = _smolvla(folder, part)
    elif part.kind == LEROBOT:
        backbone = _lerobot(folder, part)
    else:
        raise BadCheckpoint(
            f"its backbone is a {part.kind!r}, and this robot loads {KEYPOINT_CNN}, {SMOLVLA} and "
            f"{LEROBOT}: "
            "bring the robot to the learner's release"
        )
    adapter = manifest.adapter
    if adapter is not None:
        if adapter.kind != ADAPTER_KIND:
            raise BadCheckpoint(
                f"its adapter is a {adapter.kind!r}, and this robot loads {ADAPTER_KIND}: bring "
                "the robot to the learner's release"
            )
        merge(backbone.module, _read(folder / ADAPTER, adapter), str(folder / ADAPTER))
        backbone.sha256 = manifest.encoder_sha256
    return backbone


def load_head(folder: Path, manifest: PolicyManifest, backbone: Backbone) -> AnyHead:
    """The head of a version, for the backbone that it stands on. Raises BadCheckpoint."""
    part = manifest.head
    if part.kind not in HEAD_KINDS.values():
        raise BadCheckpoint(
            f"its head is a {part.kind!r}, and this robot loads {' and '.join(HEAD_KINDS.values())}"
            ": bring the robot to the learner's release"
        )
    data = _read(folder / HEAD, part)
    with loading(f"{folder / HEAD}: it cannot be loaded", _PUBLISH_AGAIN):
        return decode_head(data, backbone, str(folder / HEAD))


def load_risk(
    folder: Path, manifest: PolicyManifest, backbone: Backbone, action: int
) -> RiskParts | None:
    """The risk critic of a version with what travels beside it, for actions of so many columns;
    None where it has none.

    Raises BadCheckpoint.
    """
    part = manifest.risk
    if part is None:
        return None
    if part.kind != RISK_KIND:
        raise BadCheckpoint(
            f"its risk critic is a {part.kind!r}, and this robot loads {RISK_KIND}: bring the "
            "robot to the learner's release"
        )
    data = _read(folder / RISK, part)
    with loading(f"{folder / RISK}: it cannot be loaded", _PUBLISH_AGAIN):
        return decode_risk(data, backbone, action, str(folder / RISK))


def _keypoint_cnn(folder: Path, part: Part) -> KeypointCnn:
    path = folder / SETTINGS
    try:
        settings = KeypointSettings.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BadCheckpoint(
            f"it stands on the backbone {part.sha256[:12]}… and was published by a release that "
            "did not say how to build it: start the robot from the policy folder with that backbone"
        ) from error
    except (OSError, ValidationError) as error:
        raise BadCheckpoint(f"{path} is damaged: fetch the version again") from error
    net = KeypointNet(settings)
    load_into(net, _read(folder / BACKBONE, part), str(folder / BACKBONE))
    return KeypointCnn(net, part.sha256)


def _smolvla(folder: Path, part: Part) -> AdaptableBackbone:
    from robot_rl.policy.lerobot import LoadedPolicy  # loads LeRobot: seconds
    from robot_rl.policy.lerobot_features import SmolVlaFeatures

    return SmolVlaFeatures(LoadedPolicy(_checked(folder / FOLDER, part)), part.sha256)


def _lerobot(folder: Path, part: Part) -> AdaptableBackbone:
    from robot_rl.policy.lerobot import LoadedPolicy  # loads LeRobot: seconds
    from robot_rl.policy.tunable import TunablePolicy

    return TunablePolicy(LoadedPolicy(_checked(folder / FOLDER, part)), part.sha256)


def _checked(source: Path, part: Part) -> Path:
    """A LeRobot policy's folder whose weights are the part's. Raises BadCheckpoint."""
    found = file_sha256(source / MODEL)
    if found != part.sha256:
        raise _damaged(source / MODEL, found, part.sha256)
    return source


def _read(path: Path, part: Part) -> bytes:
    """The weights of a part, after their hash was checked. Raises BadCheckpoint."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadCheckpoint(f"{path}: cannot be read: {error.strerror}") from error
    found = sha256_of(data)
    if found != part.sha256:
        raise _damaged(path, found, part.sha256)
    return data


def _damaged(path: Path, found: str, wanted: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"{path}: its SHA-256 is {found[:12]}… and {wanted[:12]}… was announced: it was changed "
        "or damaged"
    )
