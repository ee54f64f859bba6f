"""The parts of a version at the one who publishes it. Nothing here loads torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_rl.policy.folder import BACKBONE, HEAD, MODEL, file_sha256, read_file, sha256_of
from robot_rl.policy.manifest import CheckpointManifest, KeypointBackbone, LeRobotBackbone
from robot_rl.schema.policy import Part, PartFile, PartRole

SETTINGS = "backbone.json"  # of an encoder of our own: which cameras, how many channels
ADAPTER = "adapter.safetensors"
FOLDER = "backbone"  # of a LeRobot policy with all that it needs to be loaded
ADAPTER_KIND = "low_rank"
RISK = "risk.safetensors"
RISK_KIND = "risk"
HEAD_KINDS = {
    "gaussian": "head",
    "consistency": "consistency_head",
    "tuned": "tuned_head",
    "residual": "residual_head",
}
"""Kind in a head's settings → kind of the part; the first had no other beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPart:
    """A part and where its content is: SHA-256 → bytes, or a file that is too big to hold."""

    part: Part
    contents: Mapping[str, bytes | Path]


def head_part(weights: bytes, kind: str) -> LocalPart:
    """A head of that kind, as `robot_rl.policy.weights` encodes it."""
    return _part_of(PartRole.HEAD, HEAD_KINDS[kind], {HEAD: weights})


def adapter_part(weights: bytes) -> LocalPart:
    """An adapter as `robot_rl.policy.adapter` encodes it."""
    return _part_of(PartRole.ADAPTER, ADAPTER_KIND, {ADAPTER: weights})


def risk_part(weights: bytes) -> LocalPart:
    """A risk critic as `robot_rl.policy.risk_critic` encodes it."""
    return _part_of(PartRole.RISK, RISK_KIND, {RISK: weights})


def backbone_part(folder: Path, manifest: CheckpointManifest) -> LocalPart:
    """The backbone of a policy folder, with all that a robot needs to load it.

    Raises BadCheckpoint. One that is only named on a hub has no files: the robot must have it.
    """
    described = manifest.backbone
    if isinstance(described, KeypointBackbone):
        weights = read_file(folder, described.file)
        settings = described.settings.model_dump_json().encode()
        return _part_of(PartRole.BACKBONE, described.kind, {BACKBONE: weights, SETTINGS: settings})
    return _lerobot_part(folder, described)


def _lerobot_part(folder: Path, described: LeRobotBackbone) -> LocalPart:
    files: list[PartFile] = []
    contents: dict[str, bytes | Path] = {}
    source = folder / described.source
    for path in sorted(source.rglob("*")) if (source / MODEL).is_file() else ():
        name = path.relative_to(source)
        if path.is_file() and not any(each.startswith(".") for each in name.parts):
            sha256 = file_sha256(path)
            size = path.stat().st_size
            files.append(PartFile(name=f"{FOLDER}/{name}", sha256=sha256, size_bytes=size))
            contents[sha256] = path
    part = Part(
        role=PartRole.BACKBONE, kind=described.kind, sha256=described.sha256, files=tuple(files)
    )
    return LocalPart(part=part, contents=contents)


def _part_of(role: PartRole, kind: str, named: Mapping[str, bytes]) -> LocalPart:
    """The first file holds the weights."""
    files = tuple(
        PartFile(name=name, sha256=sha256_of(data), size_bytes=len(data))
        for name, data in named.items()
    )
    return LocalPart(
        part=Part(role=role, kind=kind, sha256=files[0].sha256, files=files),
        contents={sha256_of(data): data for data in named.values()},
    )
