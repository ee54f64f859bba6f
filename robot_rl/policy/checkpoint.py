"""From a policy folder to a policy that acts, and back."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save as save_tensors

from robot_rl.policy.folder import (
    BACKBONE,
    DEMONSTRATIONS,
    HEAD,
    read_file,
    read_manifest,
    store_file,
    write_manifest,
)
from robot_rl.policy.heads import AnyHead, HeadedPolicy, headed
from robot_rl.policy.interface import Backbone
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet
from robot_rl.policy.manifest import (
    BackboneEntry,
    CheckpointManifest,
    KeypointBackbone,
    LeRobotBackbone,
    loading,
)
from robot_rl.policy.weights import decode_head, encode_head, load_into, tensors_of


def write_checkpoint(
    folder: Path,
    *,
    net: KeypointNet,
    head: AnyHead,
    task: str,
    instruction: str,
    algorithm: str,
    demonstrations: bytes | None = None,
    report: Mapping[str, float | int | str] | None = None,
) -> CheckpointManifest:
    """Write a whole policy with an encoder of its own."""
    file = store_file(folder, BACKBONE, save_tensors(tensors_of(net)))
    return write_head_on(
        folder,
        backbone=KeypointBackbone(settings=net.settings, file=file),
        head=head,
        task=task,
        instruction=instruction,
        algorithm=algorithm,
        demonstrations=demonstrations,
        report=report,
    )


def write_head_on(
    folder: Path,
    *,
    backbone: BackboneEntry,
    head: AnyHead,
    task: str,
    instruction: str,
    algorithm: str,
    demonstrations: bytes | None = None,
    report: Mapping[str, float | int | str] | None = None,
) -> CheckpointManifest:
    """Head and manifest; the manifest last, so that a folder with one is complete."""
    manifest = CheckpointManifest(
        task=task,
        instruction=instruction,
        algorithm=algorithm,
        backbone=backbone,
        head=store_file(folder, HEAD, encode_head(head, backbone.sha256)),
        demonstrations=(
            None if demonstrations is None else store_file(folder, DEMONSTRATIONS, demonstrations)
        ),
        report=dict(report or {}),
    )
    write_manifest(folder, manifest)
    return manifest


def load_backbone(folder: Path, manifest: CheckpointManifest) -> Backbone:
    """Raises BadCheckpoint."""
    described = manifest.backbone
    if isinstance(described, LeRobotBackbone) and described.kind == "lerobot":
        from robot_rl.policy.tunable import load_tunable  # loads LeRobot: seconds

        return load_tunable(folder, described)
    if isinstance(described, LeRobotBackbone):
        from robot_rl.policy.lerobot_features import load_feature_backbone  # loads LeRobot: seconds

        return load_feature_backbone(folder, described)
    net = KeypointNet(described.settings)
    load_into(net, read_file(folder, described.file), str(folder / BACKBONE))
    return KeypointCnn(net, described.file.sha256)


def load_policy(folder: Path) -> HeadedPolicy:
    """Backbone and head of a folder, ready to act. Raises BadCheckpoint."""
    manifest = read_manifest(folder)
    with loading(f"{folder}: this policy cannot be loaded", "copy it again, or clone another"):
        backbone = load_backbone(folder, manifest)
        data = read_file(folder, manifest.head)
        return headed(backbone, decode_head(data, backbone, str(folder / HEAD)))
