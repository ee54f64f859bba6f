"""From a policy folder to a policy that acts, and back."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save as save_tensors

from robot_rl.policy.folder import (
    BACKBONE,
    DEMONSTRATIONS,
    HEAD,
    MODEL,
    read_file,
    read_manifest,
    store_file,
    write_manifest,
)
from robot_rl.policy.head import Head, HeadPolicy
from robot_rl.policy.interface import Backbone
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet
from robot_rl.policy.manifest import (
    BackboneEntry,
    BadCheckpoint,
    CheckpointManifest,
    KeypointBackbone,
    LeRobotBackbone,
)
from robot_rl.policy.weights import decode_head, encode_head, load_into, tensors_of
from robot_rl.schema.policy import BackboneRef


def write_checkpoint(
    folder: Path,
    *,
    net: KeypointNet,
    head: Head,
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
    head: Head,
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
        head=store_file(folder, HEAD, encode_head(head, _reference(backbone).sha256)),
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
    if isinstance(described, LeRobotBackbone):
        from robot_rl.policy.lerobot_features import load_feature_backbone  # loads LeRobot: seconds

        return load_feature_backbone(folder, described)
    net = KeypointNet(described.settings)
    load_into(net, read_file(folder, described.file), str(folder / BACKBONE))
    return KeypointCnn(net, described.file.sha256)


def load_policy(folder: Path) -> HeadPolicy:
    """Backbone and head of a folder, ready to act. Raises BadCheckpoint."""
    manifest = read_manifest(folder)
    backbone = load_backbone(folder, manifest)
    data = read_file(folder, manifest.head)
    head = decode_head(data, backbone_sha256=backbone.sha256, name=str(folder / HEAD))
    if head.settings.features != backbone.size:
        raise BadCheckpoint(
            f"{folder / HEAD}: the head takes {head.settings.features} features and the backbone "
            f"gives {backbone.size}; the two files belong to different policies"
        )
    return HeadPolicy(backbone, head)


def backbone_ref(manifest: CheckpointManifest) -> BackboneRef:
    """What a published version says about the part that does not travel with it."""
    return _reference(manifest.backbone)


def backbone_bytes(folder: Path, manifest: CheckpointManifest) -> bytes | None:
    """What the server keeps of the backbone; None when it only lives on a hub."""
    described = manifest.backbone
    if isinstance(described, KeypointBackbone):
        return read_file(folder, described.file)
    path = folder / described.source / MODEL
    return path.read_bytes() if path.is_file() else None


def _reference(described: BackboneEntry) -> BackboneRef:
    file = described.file if isinstance(described, KeypointBackbone) else described
    return BackboneRef(kind=described.kind, sha256=file.sha256, size_bytes=file.size_bytes)
