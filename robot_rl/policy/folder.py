"""A policy as a folder: manifest.json and the files that it names, each checked by its hash.

Nothing here loads torch.
"""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from robot_rl import durable_file
from robot_rl.policy.manifest import (
    BadCheckpoint,
    CheckpointManifest,
    KeypointBackbone,
    StoredFile,
)

MANIFEST, BACKBONE, HEAD = "manifest.json", "backbone.safetensors", "head.safetensors"
DEMONSTRATIONS = "demonstrations.safetensors"
MODEL = "model.safetensors"  # the weights in a LeRobot policy's own folder


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """Raises BadCheckpoint."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadCheckpoint(f"{path}: cannot be read: {error.strerror}") from error


def store_file(folder: Path, name: str, data: bytes) -> StoredFile:
    durable_file.write(folder / name, data)
    return StoredFile(name=name, sha256=sha256_of(data), size_bytes=len(data))


def write_manifest(folder: Path, manifest: CheckpointManifest) -> None:
    """Last of all: a folder with a manifest is complete."""
    durable_file.write(folder / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode())


def read_manifest(folder: Path) -> CheckpointManifest:
    """Raises BadCheckpoint."""
    path = folder / MANIFEST
    try:
        return CheckpointManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BadCheckpoint(
            f"{folder}: there is no starting policy in this folder ({MANIFEST} is missing); "
            "make one with `robot-rl clone` or name another folder in the task file (policy.folder)"
        ) from error
    except OSError as error:
        raise BadCheckpoint(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise BadCheckpoint(
            f"{path} is damaged: {key}: {first['msg']}; copy the policy again, or make one with "
            "`robot-rl clone`"
        ) from error


def check_folder(folder: Path) -> None:
    """That every file which the manifest names is there and whole. Raises BadCheckpoint."""
    manifest = read_manifest(folder)
    files = [manifest.head, manifest.demonstrations]
    if isinstance(manifest.backbone, KeypointBackbone):
        files.append(manifest.backbone.file)
    for file in files:
        if file is not None:
            _check_hash(_path_of(folder, file), file, file_sha256(_path_of(folder, file)))


def read_file(folder: Path, file: StoredFile) -> bytes:
    """A file of a checkpoint, after its hash was checked. Raises BadCheckpoint."""
    path = _path_of(folder, file)
    data = path.read_bytes()
    _check_hash(path, file, sha256_of(data))
    return data


def _path_of(folder: Path, file: StoredFile) -> Path:
    path = folder / file.name
    if path.parent != folder or not path.is_file():
        raise BadCheckpoint(
            f"{path} is missing: the manifest names this file; copy the policy again"
        )
    return path


def _check_hash(path: Path, file: StoredFile, found: str) -> None:
    if found != file.sha256:
        raise BadCheckpoint(
            f"{path}: its SHA-256 is {found[:12]}… and the manifest says {file.sha256[:12]}…; "
            "the file was changed or damaged, copy the policy again"
        )
