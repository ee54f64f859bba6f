"""What a policy server serves: the task's policy or another one, tried before a robot asks."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg

from robot_rl.config.identity import task_facts
from robot_rl.config.policy_mapping import PolicyMapping
from robot_rl.config.task import Task
from robot_rl.policy.folder import MANIFEST, file_sha256, read_manifest
from robot_rl.policy.head import ActingPolicy
from robot_rl.policy.images import StoredImages
from robot_rl.policy.interface import BadObservation, Observation, Policy
from robot_rl.policy.keypoint_cnn import KeypointCnn
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.starting import load_starting_policy, starting_folder
from robot_rl.policy.tuned_head import TunedPolicy
from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.policy_server import Serves

_SIDE_PX = 256  # of the image that a policy is tried on
_DECIDING = (".json", ".safetensors")  # files of a LeRobot policy: weights, settings, processors


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPolicy:
    policy: Policy
    serves: Serves


def task_to_serve(task: Task, source: str | None) -> Task:
    """The task with the policy to serve as its own: of a folder or hub id, else the one that the
    file names. Raises BadCheckpoint.
    """
    chosen: dict[str, object] = {"server": None}
    if source is not None:
        local = (Path(source) / MANIFEST).is_file()
        chosen |= {
            "folder": str(Path(source).resolve()) if Path(source).is_dir() else source,
            "kind": "head" if local else "lerobot",
        }
    elif not task.policy.folder:
        raise BadCheckpoint(
            f"{task.path}: the task names a policy server and no policy of its own: give --policy "
            "with a folder or a hub id, or add policy.folder"
        )
    return task.model_copy(update={"policy": task.policy.model_copy(update=chosen)})


def load_served(task: Task) -> ServedPolicy:
    """Load the task's policy and try it once. Raises BadCheckpoint."""
    policy = load_starting_policy(task)
    cameras, state = needs_of(policy)
    missing = [camera for camera in cameras if camera not in task.cameras]
    if missing:
        raise BadCheckpoint(
            f"{task.policy.folder}: the policy needs the camera {', '.join(missing)}, and the task "
            f"{task.name} has {', '.join(task.cameras) or 'none'}"
        )
    chunk = _tried(policy, task, cameras, state)
    serves = Serves(
        task=task.name,
        identity=DataIdentity(facts=task_facts(task)),
        action=task.action.names,
        cameras=cameras,
        state=state,
        chunk=chunk,
        policy=Path(task.policy.folder).name,
        sha256=policy_sha256(task),
    )
    return ServedPolicy(policy=policy, serves=serves)


def needs_of(policy: Policy) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cameras and named state."""
    if isinstance(policy, TunedPolicy):
        base = policy.head.base
        return base.cameras, base.loaded.state
    if isinstance(policy, ActingPolicy):
        backbone = policy.backbone
        if isinstance(backbone, KeypointCnn):
            return backbone.cameras, backbone.settings.proprioception
        from robot_rl.policy.lerobot_features import SmolVlaFeatures

        assert isinstance(backbone, SmolVlaFeatures)  # there is no other kind
        return backbone.cameras, backbone.state
    from robot_rl.policy.lerobot import LeRobotPolicy

    assert isinstance(policy, LeRobotPolicy)  # there is no other kind
    return policy.cameras, policy.state


def _tried(policy: Policy, task: Task, cameras: tuple[str, ...], state: tuple[str, ...]) -> int:
    """Actions of its answer to a dark image. The first answer may take seconds: no robot waits for
    it. Raises BadCheckpoint.
    """
    dark = simplejpeg.encode_jpeg(np.zeros((_SIDE_PX, _SIDE_PX, 3), np.uint8), 80)
    jpegs = dict.fromkeys(cameras, dark)
    observation = Observation(
        images=StoredImages(jpegs),
        jpegs=jpegs,
        state=np.array([float(name.endswith("quaternion_w")) for name in state]),
        state_names=state,
        instruction=task.instruction,
        t_ns=0,
    )
    try:
        chunk = policy.act(observation, np.random.default_rng(0), deterministic=True)
    except BadObservation as error:
        raise BadCheckpoint(f"{task.policy.folder}: the policy cannot be tried: {error}") from error
    policy.reset()
    return len(chunk.actions)


def policy_sha256(task: Task) -> str:
    """Of what decides what the policy answers."""
    digest = hashlib.sha256()
    if task.policy.kind == "head":
        manifest = read_manifest(starting_folder(task))
        digest.update(f"{manifest.backbone.sha256} {manifest.head.sha256}".encode())
        return digest.hexdigest()
    from huggingface_hub import snapshot_download

    from robot_rl.policy.lerobot_config import resolve, task_mapping
    from robot_rl.policy.lerobot_loading import pick_device

    source = Path(resolve(task.policy.folder, task.path.parent))
    if not source.is_dir():
        source = Path(snapshot_download(str(source), local_files_only=True))
    for path in sorted(source.rglob("*")):
        if path.suffix in _DECIDING and path.is_file():
            digest.update(f"{path.relative_to(source)} {file_sha256(path)}\n".encode())
    mapping = task_mapping(task)
    if mapping.statistics:
        digest.update(f"{file_sha256(Path(mapping.statistics))}\n".encode())
    told = mapping.model_dump_json(include={*PolicyMapping.model_fields} - {"statistics"})
    digest.update(f"{told} {pick_device(task.policy.device)} {task.policy.dtype}".encode())
    return digest.hexdigest()
