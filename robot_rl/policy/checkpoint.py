"""A policy as a folder: manifest.json, backbone.safetensors, head.safetensors, checked by hash.

The head's file also travels alone (`POST /api/policies`): its metadata say which shape it has and
which backbone it stands on, so that a robot refuses a head that does not fit. No pickle anywhere.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from robot_rl.errors import PlainError
from robot_rl.policy.head import Head, HeadPolicy, HeadSettings
from robot_rl.policy.interface import Backbone
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet, KeypointSettings
from robot_rl.schema.message import Message
from robot_rl.schema.policy import BackboneRef

FORMAT = 1
MANIFEST, BACKBONE, HEAD = "manifest.json", "backbone.safetensors", "head.safetensors"
DEMONSTRATIONS = "demonstrations.safetensors"


class BadCheckpoint(PlainError):
    """A policy cannot be used: one sentence that says which file, what is wrong and what to do."""


class StoredFile(Message):
    name: str
    sha256: str
    size_bytes: Annotated[int, Field(ge=0)]


class KeypointBackbone(Message):
    kind: Literal["keypoint_cnn"] = "keypoint_cnn"
    settings: KeypointSettings
    file: StoredFile


class LeRobotBackbone(Message):
    """A LeRobot policy whose frozen features carry the head.

    `source` is a folder beside the manifest or a hub id.
    """

    kind: Literal["smolvla"] = "smolvla"
    source: str
    sha256: str
    size_bytes: int
    cameras: tuple[str, ...]
    state: tuple[str, ...]


class CheckpointManifest(Message):
    """manifest.json."""

    format: Literal[1] = FORMAT
    task: str
    instruction: str
    algorithm: str
    backbone: Annotated[KeypointBackbone | LeRobotBackbone, Field(discriminator="kind")]
    head: StoredFile
    demonstrations: StoredFile | None = None  # cached features of what it was cloned from
    # how it was made, and how well it did
    report: dict[str, float | int | str] = Field(default_factory=dict)


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_of_net(net: KeypointNet) -> str:
    """As it will stand in the manifest of a checkpoint with this encoder."""
    return sha256_of(save_tensors(_tensors(net)))


# ---- the head alone ------------------------------------------------------------------------


def encode_head(head: Head, backbone_sha256: str) -> bytes:
    """Weights and shape as one safetensors file."""
    metadata = {
        "robot_rl.head": head.settings.model_dump_json(),
        "robot_rl.backbone_sha256": backbone_sha256,
    }
    return save_tensors(_tensors(head), metadata)


def decode_head(
    data: bytes,
    *,
    backbone_sha256: str,
    name: str = "the policy",
    shape: HeadSettings | None = None,
) -> Head:
    """A head from its bytes; of this `shape`, where one is given. Raises BadCheckpoint."""
    metadata = read_metadata(data, name)
    try:
        settings = HeadSettings.model_validate_json(metadata["robot_rl.head"])
        standing_on = metadata["robot_rl.backbone_sha256"]
    except (KeyError, ValidationError) as error:
        raise BadCheckpoint(
            f"{name}: the file does not say which shape the head has; "
            "it was not written by robot-rl"
        ) from error
    if standing_on != backbone_sha256:
        raise BadCheckpoint(
            f"{name}: it was trained on backbone {standing_on[:12]}, and {backbone_sha256[:12]} is "
            "loaded here; start the robot and the learner from the same policy folder"
        )
    if shape is not None and settings != shape:  # before memory is taken for another one
        raise BadCheckpoint(
            f"{name}: the head has the shape ({settings}) and the one loaded here has ({shape}); "
            "train it from this robot's starting policy"
        )
    head = Head(settings)
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
    return metadata if isinstance(metadata, dict) else {}


def load_into(module: nn.Module, data: bytes, name: str) -> None:
    """Fill a module with the tensors of a safetensors file. Raises BadCheckpoint."""
    try:
        tensors = load_tensors(data)
        module.load_state_dict(tensors)
    except (SafetensorError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadCheckpoint(f"{name}: its tensors do not fit: {reason}") from error
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BadCheckpoint(f"{name}: the tensor {key} holds values that are not finite")


# ---- the folder ----------------------------------------------------------------------------


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
    folder.mkdir(parents=True, exist_ok=True)
    file = _store(folder, BACKBONE, save_tensors(_tensors(net)))
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
    backbone: KeypointBackbone | LeRobotBackbone,
    head: Head,
    task: str,
    instruction: str,
    algorithm: str,
    demonstrations: bytes | None = None,
    report: Mapping[str, float | int | str] | None = None,
) -> CheckpointManifest:
    """Head and manifest; the manifest last, so that a folder with one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = CheckpointManifest(
        task=task,
        instruction=instruction,
        algorithm=algorithm,
        backbone=backbone,
        head=_store(folder, HEAD, encode_head(head, _reference(backbone).sha256)),
        demonstrations=(
            None if demonstrations is None else _store(folder, DEMONSTRATIONS, demonstrations)
        ),
        report=dict(report or {}),
    )
    _replace(folder / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode())
    return manifest


def read_manifest(folder: Path) -> CheckpointManifest:
    """Raises BadCheckpoint."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BadCheckpoint(
            f"{folder}: there is no policy in this folder ({MANIFEST} is missing); "
            "make one with `robot-rl clone` or name another folder in the task file (policy.folder)"
        )
    try:
        return CheckpointManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise BadCheckpoint(f"{path}: {key}: {first['msg']}; make the policy again") from error


def read_file(folder: Path, file: StoredFile) -> bytes:
    """A file of a checkpoint, after its hash was checked. Raises BadCheckpoint."""
    path = folder / file.name
    if path.parent != folder or not path.is_file():
        raise BadCheckpoint(
            f"{path}: the manifest names this file, and it is not there; copy the policy again"
        )
    data = path.read_bytes()
    found = sha256_of(data)
    if found != file.sha256:
        raise BadCheckpoint(
            f"{path}: its SHA-256 is {found[:12]}… and the manifest says {file.sha256[:12]}…; "
            "the file was changed or damaged, copy the policy again"
        )
    return data


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
    path = folder / described.source / "model.safetensors"
    return path.read_bytes() if path.is_file() else None


def _reference(described: KeypointBackbone | LeRobotBackbone) -> BackboneRef:
    file = described.file if isinstance(described, KeypointBackbone) else described
    return BackboneRef(kind=described.kind, sha256=file.sha256, size_bytes=file.size_bytes)


def _tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    return {key: tensor.detach().contiguous().cpu() for key, tensor in module.state_dict().items()}


def _store(folder: Path, name: str, data: bytes) -> StoredFile:
    _replace(folder / name, data)
    return StoredFile(name=name, sha256=sha256_of(data), size_bytes=len(data))


def _replace(path: Path, data: bytes) -> None:
    """Write whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
