"""Any LeRobot policy (SmolVLA, π0, ACT, diffusion …) from a folder or hub id, as a `Policy`.

LeRobot's own loaders and processors do the work; here its names are mapped to ours. A file
`robot_rl.json` (LeRobotMapping) beside the policy's config.json says which camera and which state
go where; without it, names or sizes that fit decide. Importing this module loads LeRobot: seconds.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.configs import FeatureType, PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.policies.rtc.configuration_rtc import RTCConfig
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from robot_rl.config.action import ActionSpace
from robot_rl.policy.interface import BadObservation, Chunk, Observation, RunningChunk
from robot_rl.policy.manifest import PROPRIOCEPTION, BadCheckpoint, loading
from robot_rl.schema.message import Message
from robot_rl.schema.step import state_names
from safety.vocabulary import ONLY_ARM

MAPPING = "robot_rl.json"
VLM = "vlm"  # a vision-language model's config and tokenizer, where the folder brings its own
STATE, ACTION = "observation.state", "action"
GRIPPER_THRESHOLD = 0.5  # beyond ± this a continuous gripper output opens or closes


class LeRobotMapping(Message):
    """robot_rl.json: the policy's names on the left, ours on the right."""

    cameras: dict[str, str] = Field(default_factory=dict)
    state: tuple[str, ...] = ()


class LoadedPolicy:
    """A LeRobot policy with its processors and the mapping of its inputs."""

    def __init__(self, source: str | Path, device: str = "cpu") -> None:
        self.source = str(source)
        folder = Path(source)
        mapping = _mapping(folder)
        with loading(
            f"{self.source}: LeRobot cannot load this policy",
            "give a folder with its config.json, model.safetensors and processors, or a hub id "
            "that is cached",
        ):
            config = PreTrainedConfig.from_pretrained(self.source)
            config.device = device
            overrides: dict[str, Any] = {"device_processor": {"device": device}}
            if (folder / VLM).is_dir():
                config.vlm_model_name = str(folder / VLM)  # pyright: ignore[reportAttributeAccessIssue]
                overrides["tokenizer_processor"] = {"tokenizer_name": str(folder / VLM)}
            self.model = get_policy_class(config.type).from_pretrained(self.source, config=config)
            self.prepare, self.finish = make_pre_post_processors(
                config, pretrained_path=self.source, preprocessor_overrides=overrides
            )
        self.config = config
        self.model.eval().requires_grad_(False)
        self.cameras = self._camera_names(mapping)
        self.state = self._state_names(mapping)

    def batch(
        self, observation: Observation, actions: NDArray[np.float32] | None = None
    ) -> dict[str, Any]:
        """One observation as LeRobot's preprocessed batch of one; with the actions (steps, size)
        that a policy is trained on, where they are given.
        """
        raw: dict[str, Any] = {"task": observation.instruction}
        if actions is not None:
            raw[ACTION] = torch.from_numpy(actions)[None]
        for key, camera in self.cameras.items():
            if camera not in observation.images:
                raise BadObservation(
                    f"the policy needs the camera {camera}; "
                    f"the observation has: {', '.join(sorted(observation.images)) or '(none)'}"
                )
            image = torch.from_numpy(np.ascontiguousarray(observation.images[camera]))
            raw[key] = image.permute(2, 0, 1).float() / 255.0
        if self.state:
            named = dict(zip(observation.state_names, observation.state.tolist(), strict=True))
            missing = [name for name in self.state if name not in named]
            if missing:
                raise BadObservation(f"the observation has no state named {', '.join(missing)}")
            raw[STATE] = torch.tensor([named[name] for name in self.state], dtype=torch.float32)
        return self.prepare(raw)

    def _camera_names(self, mapping: LeRobotMapping) -> dict[str, str]:
        """The policy's image keys → our cameras; by the last part of the key without a mapping."""
        return {
            key: mapping.cameras.get(key, key.rsplit(".", 1)[-1])
            for key in self.config.image_features
        }

    def _state_names(self, mapping: LeRobotMapping) -> tuple[str, ...]:
        feature = self.config.robot_state_feature
        if feature is None:
            return ()
        size = feature.shape[0]
        for names in (
            mapping.state,
            PROPRIOCEPTION,
            *(state_names({ONLY_ARM: joints}) for joints in (7, 6)),
        ):
            if len(names) == size:
                return names
        raise BadCheckpoint(
            f"{self.source}: the policy takes a state of {size} values and nothing says which; "
            f"list {size} state names under `state` in {MAPPING} beside its config.json"
        )


class LeRobotPolicy:
    """Acts in chunks, as the policy was trained to. A flow policy that supports LeRobot's real-time
    chunking goes on from what runs.
    """

    version: int | None = None

    def __init__(self, loaded: LoadedPolicy, action: ActionSpace) -> None:
        self._loaded, self._action = loaded, action
        self.cameras, self.state = tuple(loaded.cameras.values()), loaded.state
        config: Any = loaded.config
        self._steps = int(getattr(config, "n_action_steps", 1))
        self._columns = policy_columns(loaded, action)
        self._guided = bool(loaded.model.supports_rtc()) and hasattr(config, "rtc_config")
        if self._guided:
            config.rtc_config = RTCConfig()
            model: Any = loaded.model
            model.init_rtc_processor()

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        return self._decided(observation, rng, deterministic=deterministic)

    def can_go_on(self, running: RunningChunk) -> bool:
        """By guidance towards the raw chunk before: that has to be one of its own."""
        return self._guided and isinstance(running.memory, torch.Tensor)

    def go_on(
        self,
        observation: Observation,
        rng: np.random.Generator,
        running: RunningChunk,
        *,
        deterministic: bool = False,
    ) -> Chunk:
        assert isinstance(running.memory, torch.Tensor)
        left = running.memory[:, running.shift :]
        chunk = self._decided(
            observation,
            rng,
            deterministic=deterministic,
            inference_delay=running.frozen,
            prev_chunk_left_over=left,
            execution_horizon=left.shape[1],
        )
        return replace(chunk, follows=running.frozen)

    def _decided(
        self,
        observation: Observation,
        rng: np.random.Generator,
        *,
        deterministic: bool,
        **guidance: Any,
    ) -> Chunk:
        batch = self._loaded.batch(observation)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            # Flow and diffusion policies start from noise: it comes from the caller's generator.
            torch.manual_seed(0 if deterministic else int(rng.integers(2**63 - 1)))
            chunk = self._loaded.model.predict_action_chunk(batch, **guidance)
            steps = self._loaded.finish(chunk[:, : self._steps])
        raw = steps[0].double().cpu().numpy()
        return Chunk(
            actions=to_actions(raw, self._columns, self._action),
            version=self.version,
            memory=chunk if self._guided else None,
        )

    def reset(self) -> None:
        self._loaded.model.reset()


def policy_columns(loaded: LoadedPolicy, action: ActionSpace) -> tuple[int, ...]:
    """The columns of the task's action that the policy's outputs fill. Raises BadCheckpoint."""
    outputs: Mapping[str, Any] = loaded.config.output_features or {}
    sizes = [f.shape[0] for f in outputs.values() if f.type is FeatureType.ACTION]
    known = columns_by_size(action)
    if len(sizes) != 1 or sizes[0] not in known:
        forms = "; ".join(
            f"{size} ({', '.join(action.names[column] for column in columns)})"
            for size, columns in known.items()
        )
        raise BadCheckpoint(
            f"{loaded.source}: the policy's action has {sizes or 'no'} values and the task's "
            f"allows: {forms}"
        )
    return known[sizes[0]]


def columns_by_size(action: ActionSpace) -> Mapping[int, tuple[int, ...]]:
    """Size of a policy's action → the columns of the task's that it fills: all, all without
    grippers, those in use with grippers, or without.
    """
    grippers = action.gripper_columns
    moved = tuple(column for column in range(action.size) if column not in grippers)
    used = action.active_axes
    ordered = tuple(sorted((*used, *grippers))) if action.gripper else used
    forms = (used, ordered, moved, tuple(range(action.size)))
    return {len(columns): columns for columns in forms}


def to_actions(
    raw: NDArray[np.float64], columns: tuple[int, ...], action: ActionSpace
) -> NDArray[np.float64]:
    """(steps, action): a policy's outputs in these columns, clipped, grippers in three ways."""
    actions = np.zeros((len(raw), action.size))
    actions[:, list(columns)] = np.clip(raw[:, : len(columns)], -1.0, 1.0)
    grippers = list(action.gripper_columns)
    said = actions[:, grippers]
    actions[:, grippers] = np.sign(said) * (np.abs(said) > GRIPPER_THRESHOLD)
    return actions


def load_lerobot_policy(source: str, action: ActionSpace, *, beside: Path) -> LeRobotPolicy:
    """`source` is a folder, as named or beside the task file, or a hub id. Raises BadCheckpoint."""
    return LeRobotPolicy(LoadedPolicy(resolve(source, beside)), action)


def resolve(source: str, beside: Path) -> str:
    """A folder where there is one, else the hub id itself."""
    for folder in (beside / source, Path(source)):
        if folder.is_dir():
            return str(folder.resolve())
    if source.startswith(("/", ".")) or source.count("/") > 1:
        raise BadCheckpoint(
            f"{source}: there is no such folder; name one, or a hub id (owner/name)"
        )
    return source


def _mapping(folder: Path) -> LeRobotMapping:
    path = folder / MAPPING
    if not path.is_file():
        return LeRobotMapping()
    try:
        return LeRobotMapping.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadCheckpoint(
            f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        ) from error
