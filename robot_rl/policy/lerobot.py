"""Any LeRobot policy (SmolVLA, π0, ACT, diffusion …) from a folder or hub id, as a `Policy`.

LeRobot's own loaders and processors do the work; here its names are mapped to ours. Which camera
and which state go where, and what its outputs mean, says the task's `[policy]`, else a file
`robot_rl.json` beside the policy's config.json (PolicyMapping); without either, names or sizes that
fit decide. Importing this module loads LeRobot: seconds.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.policies.rtc.configuration_rtc import RTCConfig
from numpy.typing import NDArray

from robot_rl.config.action import ActionSpace
from robot_rl.config.cell import Cell
from robot_rl.config.policy_mapping import UNFED, PolicyMapping
from robot_rl.config.task import Task
from robot_rl.policy.interface import BadObservation, Chunk, Observation, RunningChunk
from robot_rl.policy.lerobot_action import to_actions
from robot_rl.policy.lerobot_config import STATE, resolve, task_mapping
from robot_rl.policy.lerobot_fit import check
from robot_rl.policy.lerobot_loading import (
    LoadedModel,
    load_model,
    pick_device,
    read_source,
    statistics,
)
from robot_rl.policy.manifest import BadCheckpoint, loading
from robot_rl.schema.step import prefix
from safety.vocabulary import ONLY_ARM

ACTION = "action"


class LoadedPolicy:
    """A LeRobot policy with its processors and the mapping of its inputs."""

    def __init__(
        self,
        source: str | Path,
        device: str = "cpu",
        *,
        mapping: PolicyMapping | None = None,
        dtype: str = "as_saved",
        loaded: LoadedModel | None = None,
    ) -> None:
        """mapping: of the task file, over what lies beside the policy. loaded: its model, where it
        is there already. Raises BadCheckpoint.
        """
        self.source = str(source)
        self.facts = read_source(self.source, mapping or PolicyMapping())
        self.device = pick_device(device)
        self.cameras = {key: own for key, own in self.facts.cameras.items() if own != UNFED}
        self.state = self.facts.state
        loaded = loaded or load_model(self.facts, self.device, dtype)
        self.model, self.prepare, self.finish = loaded.model, loaded.prepare, loaded.finish
        self.config, self.autocast = loaded.config, loaded.autocast
        scales = self.facts.mapping.state_scale
        self._scale = torch.tensor([scales.get(name, 1.0) for name in self.state])

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
            raw[key] = self._image(key, observation.images[camera])
        if self.state:
            named = dict(zip(observation.state_names, observation.state.tolist(), strict=True))
            missing = [name for name in self.state if name not in named]
            if missing:
                raise BadObservation(f"the observation has no state named {', '.join(missing)}")
            values = torch.tensor([named[name] for name in self.state], dtype=torch.float32)
            raw[STATE] = values * self._scale
        return self.prepare(raw)

    def _image(self, key: str, image: NDArray[np.uint8]) -> torch.Tensor:
        """(3, height, width) in 0 … 1, as large as the policy was trained on."""
        planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255.0
        _, height, width = self.facts.config.images[key]
        if self.facts.config.resizes or planes.shape[1:] == (height, width):
            return planes
        return torch.nn.functional.interpolate(
            planes[None], (height, width), mode="bilinear", antialias=True, align_corners=False
        )[0]


class LeRobotPolicy:
    """Acts in chunks, as the policy was trained to. A flow policy that supports LeRobot's real-time
    chunking goes on from what runs.
    """

    version: int | None = None

    def __init__(self, loaded: LoadedPolicy, action: ActionSpace) -> None:
        """Raises BadCheckpoint."""
        self.loaded, self._action = loaded, action
        self.cameras, self.state = tuple(loaded.cameras.values()), loaded.state
        if loaded.facts.mapping.action.frame == "tcp":  # it has to know how the hands are turned
            self.state = tuple(dict.fromkeys((*self.state, *_hands(action.arms or (ONLY_ARM,)))))
        self._steps = loaded.facts.config.n_action_steps
        self._columns = loaded.facts.columns(action)
        config: Any = loaded.config
        model: Any = loaded.model
        self._guided = bool(model.supports_rtc()) and hasattr(config, "rtc_config")
        if self._guided:
            config.rtc_config = RTCConfig()
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
        loaded = self.loaded
        batch = loaded.batch(observation)
        with torch.random.fork_rng(devices=[]), torch.no_grad(), loaded.autocast():
            # Flow and diffusion policies start from noise: it comes from the caller's generator.
            torch.manual_seed(0 if deterministic else int(rng.integers(2**63 - 1)))
            chunk = loaded.model.predict_action_chunk(batch, **guidance)
        raw = loaded.finish(chunk[0, : self._steps].float()).double().cpu().numpy()
        meaning = loaded.facts.mapping.action
        return Chunk(
            actions=to_actions(raw, self._columns, self._action, meaning, observation),
            version=self.version,
            memory=chunk if self._guided else None,
        )

    def reset(self) -> None:
        self.loaded.model.reset()

    def try_out(self, observation: Observation) -> None:
        """Decide once, before anything moves: memory, shapes and numbers are as they must be, and
        what is compiled or fetched at the first use is there. Raises BadCheckpoint.
        """
        with loading(f"{self.loaded.source}: it cannot decide", "use another checkpoint"):
            chunk = self.act(observation, np.random.default_rng(0), deterministic=True)
        self.reset()
        if not np.isfinite(chunk.actions).all():
            raise BadCheckpoint(
                f"{self.loaded.source}: its actions are not finite: its weights or its "
                "normalisation statistics are damaged; fetch or train it again"
            )


def load_lerobot_policy(task: Task, cell: Cell | None = None) -> LeRobotPolicy:
    """The task's, from a folder, as named or beside the task file, or by its hub id; what does not
    fit the task, or the cell, is refused before weights are loaded. Raises BadCheckpoint.
    """
    settings = task.policy
    source = resolve(settings.folder, task.path.parent)
    mapping = task_mapping(task)
    check(read_source(source, mapping), task, cell)
    loaded = LoadedPolicy(source, settings.device, mapping=mapping, dtype=settings.dtype)
    if lacking := statistics(loaded.prepare, loaded.finish):
        raise BadCheckpoint(f"{source}: {lacking[0]}")
    policy = LeRobotPolicy(loaded, task.action)
    policy.try_out(made_up(loaded, task))
    return policy


def made_up(loaded: LoadedPolicy, task: Task) -> Observation:
    """An observation of no cell, in the sizes that the policy was trained on: grey images, hands
    that are not turned, and zeros beside.
    """
    images: dict[str, NDArray[np.uint8]] = {}
    for key, camera in loaded.cameras.items():
        _, height, width = loaded.facts.config.images[key]
        images[camera] = np.full((height, width, 3), 128, np.uint8)
    names = tuple(dict.fromkeys((*loaded.state, *_hands(task.acting_arms))))
    return Observation(
        images=images,
        state=np.array([float(name.endswith("quaternion_w")) for name in names]),
        state_names=names,
        instruction=task.instruction,
        t_ns=0,
    )


def _hands(arms: Iterable[str]) -> tuple[str, ...]:
    """Names of the state that says how they are turned."""
    return tuple(f"{prefix(arm)}tcp_quaternion_{axis}" for arm in arms for axis in "wxyz")
