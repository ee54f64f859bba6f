"""Demonstrations as a file: trajectories with features in place of images.

A starting policy's folder holds the demonstrations it was cloned from in this form, so that the
learner begins with them in D_demo, as HIL-SERL does with its 20 demonstrations.
"""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from robot_rl.config.task import Task
from robot_rl.learner.columns import HUMAN, SOURCES, STORED, Array, Trajectory
from robot_rl.policy.folder import read_file
from robot_rl.policy.interface import Backbone
from robot_rl.policy.manifest import BadCheckpoint, CheckpointManifest
from robot_rl.policy.weights import read_metadata
from safety.vocabulary import Source

_TASK, _BACKBONE = "robot_rl.task", "robot_rl.backbone_sha256"
_LENGTH, _EPISODE = "length", "episode_id"
"""Beside the columns: records of each trajectory, and the 16 bytes of its episode's id."""
_NO_EPISODE = bytes(16)


def encode_trajectories(
    trajectories: Sequence[Trajectory], *, task: str, backbone_sha256: str
) -> bytes:
    """One safetensors file; `task` and the backbone of the features stand in its metadata."""
    tensors = {name: np.concatenate([each[name] for each in trajectories]) for name in STORED}
    tensors[_LENGTH] = np.array([len(each) for each in trajectories], np.int64)
    ids = [
        _NO_EPISODE if each.episode_id is None else each.episode_id.bytes for each in trajectories
    ]
    tensors[_EPISODE] = np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 16)
    return save(tensors, {_TASK: task, _BACKBONE: backbone_sha256})


def decode_trajectories(
    data: bytes, name: str, *, task: str, backbone_sha256: str, features: int, action: int
) -> list[Trajectory]:
    """Raises BadCheckpoint: the file is damaged, or is of another task, backbone or size."""
    found = read_metadata(data, name)
    for what, key, wanted in (
        ("task", _TASK, task),
        ("backbone", _BACKBONE, backbone_sha256),
    ):
        if found.get(key) != wanted:
            named = (
                f"the {what} {found[key]}" if key in found else f"a {what} that it does not name"
            )
            raise BadCheckpoint(
                f"{name}: its demonstrations are of {named} and {wanted} is needed; "
                "make the policy again with `robot-rl clone`"
            )
    try:
        tensors = load(data)
        ends = np.cumsum(tensors.pop(_LENGTH))
        ids = tensors.pop(_EPISODE, None)
        whole = Trajectory.made(_with_sources(tensors))
    except (SafetensorError, KeyError, ValueError) as error:
        raise BadCheckpoint(f"{name}: these are not demonstrations of robot-rl: {error}") from error
    for column, size in (("features", features), ("executed", action)):
        if whole[column].shape != (ends[-1], size):
            raise BadCheckpoint(
                f"{name}: it holds {column} of shape {whole[column].shape}, "
                f"({ends[-1]}, {size}) expected; make the policy again with `robot-rl clone`"
            )
    starts = [0, *ends[:-1].tolist()]
    return [
        Trajectory(
            columns=whole.part(start, end).columns,
            episode_id=None if ids is None else _episode_id(ids[number].tobytes()),
        )
        for number, (start, end) in enumerate(zip(starts, ends.tolist(), strict=True))
    ]


def starting_demonstrations(
    folder: Path, manifest: CheckpointManifest, task: Task, backbone: Backbone
) -> list[Trajectory]:
    """What the starting policy was cloned from. Raises BadCheckpoint."""
    stored = manifest.demonstrations
    if stored is None:
        return []
    return decode_trajectories(
        read_file(folder, stored),
        str(folder / stored.name),
        task=task.name,
        backbone_sha256=backbone.sha256,
        features=backbone.size,
        action=task.action.size,
    )


def _with_sources(tensors: dict[str, Array]) -> dict[str, Array]:
    """Older files hold no source, and in `human` only what was to be imitated."""
    if "source" in tensors:
        return tensors
    person = ~np.isnan(tensors["human"][:, 0])
    return {
        **tensors,
        "source": np.where(person, HUMAN, SOURCES.index(Source.HOLD)),
    }


def _episode_id(value: bytes) -> UUID | None:
    return None if value == _NO_EPISODE else UUID(bytes=value)
