"""Behaviour cloning: a starting policy from a few demonstrations, in minutes on two cores.

Two stages. First the encoder learns to see: every image must tell which action the person took, and
the subgoal: how far the TCP was from where the gripper next changed (or the demonstration ended).
Both come from what a robot records; no simulator truth enters. Then the encoder is frozen, its
features are standardised, and the head is trained on them, as the learner will go on training it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.learner.augment import augment
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.demonstrations import encode_trajectories
from robot_rl.learner.losses import clone_loss
from robot_rl.policy.checkpoint import write_checkpoint
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.policy.images import observe, square
from robot_rl.policy.keypoint_cnn import KeypointNet, to_planes
from robot_rl.policy.manifest import CheckpointManifest, KeypointSettings
from robot_rl.policy.starting import shapes
from robot_rl.policy.weights import sha256_of_net
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.transition import is_example, is_seen, own_action

SUBGOAL_SCALE_M = 0.1  # so that the subgoal's error weighs about as much as an action's
STD_FLOOR = 0.02  # keypoints and SI values that never moved are not blown up


class NotEnoughDemonstrations(BadInput):
    """There is too little to clone from: the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneSettings:
    """How long and how hard. The defaults take a few minutes on two cores for 30 demonstrations."""

    seed: int = 0
    encoder_updates: int = 1500
    encoder_batch: int = 32
    head_updates: int = 2000
    head_batch: int = 128
    learning_rate: float = 1e-3
    shift_px: int = 2
    brightness: float = 0.15  # colour jitter: ± this much, and as much contrast
    feature_copies: int = 4  # augmented copies of every image that the head is trained on


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """All demonstrated steps in arrays; the last record of an episode has no action."""

    images: list[NDArray[np.uint8]]  # per camera (records, px, px, 3)
    state: NDArray[np.float32]  # (records, proprioception), SI
    subgoal: NDArray[np.float32]  # (records, 3 · arms), m
    action: NDArray[np.float32]  # (records, action)
    acted: NDArray[np.int64]  # (steps,) records with a human action


type Progress = Callable[[str, float], None]
"""Called with what is being done and how much of the whole is done, 0 … 1."""


def clone(
    episodes: Sequence[Sequence[RecordedStep]],
    task: Task,
    folder: Path,
    settings: CloneSettings,
    progress: Progress = lambda _what, _share: None,
) -> CheckpointManifest:
    """Train on whole demonstrations and write a policy folder. Raises NotEnoughDemonstrations."""
    started = time.monotonic()
    episodes = [_seen(episode, task.cameras) for episode in episodes]
    backbone_settings, head_settings = shapes(task)
    examples = gather(episodes, task, backbone_settings)
    rng = np.random.default_rng(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        net = KeypointNet(backbone_settings)
        loss = _train_encoder(net, head_settings, examples, settings, rng, progress)
        head = Head(head_settings)
        head_loss = _train_head(net, head, examples, settings, rng, progress)
    trajectories = _cache(net, examples, episodes, task.action.size)
    return write_checkpoint(
        folder,
        net=net,
        head=head,
        task=task.name,
        instruction=task.instruction,
        algorithm="behaviour_cloning",
        demonstrations=encode_trajectories(
            trajectories, task=task.name, backbone_sha256=sha256_of_net(net)
        ),
        report={
            "demonstrations": len(episodes),
            "steps": len(examples.acted),
            "seed": settings.seed,
            "encoder_loss": round(loss, 5),
            "head_loss": round(head_loss, 5),
            "wall_s": round(time.monotonic() - started, 1),
        },
    )


# ---- what was demonstrated ---------------------------------------------------------------------


def _seen(episode: Sequence[RecordedStep], cameras: Sequence[str]) -> list[RecordedStep]:
    """Without the steps that nobody looked at (the actor came too late, or a camera never did)."""
    return [record for record in episode if is_seen(record.images, cameras)]


def gather(
    episodes: Sequence[Sequence[RecordedStep]], task: Task, settings: KeypointSettings
) -> Examples:
    """Decode and label every record. Raises NotEnoughDemonstrations."""
    images: list[list[NDArray[np.uint8]]] = [[] for _ in task.cameras]
    state: list[NDArray[np.float64]] = []
    subgoal: list[NDArray[np.float64]] = []
    action: list[NDArray[np.float64]] = []
    acted: list[int] = []
    for episode in episodes:
        subgoal.append(subgoals(episode, task.acting_arms, task.action.gripper_columns))
        for record in episode:
            seen = observe(record, task.instruction, task.cameras)
            picks = [seen.state_names.index(name) for name in settings.proprioception]
            for camera, name in enumerate(task.cameras):
                images[camera].append(square(seen.images[name], settings.image_px))
            own = own_action(record.step)
            if is_example(record.step, demonstration=True):
                acted.append(len(state))
            state.append(seen.state[picks])
            action.append(np.zeros(task.action.size) if own is None else np.clip(own, -1.0, 1.0))
    if len(acted) < 50:
        raise NotEnoughDemonstrations(
            f"{len(episodes)} demonstrations with {len(acted)} human steps are too few to clone "
            "from; record at least 5 whole ones (20 to 30 are better)"
        )
    return Examples(
        images=[np.stack(camera) for camera in images],
        state=np.array(state, np.float32),
        subgoal=np.concatenate(subgoal).astype(np.float32),
        action=np.array(action, np.float32),
        acted=np.array(acted, np.int64),
    )


def subgoals(
    episode: Sequence[RecordedStep], arms: Sequence[str], gripper_columns: Sequence[int]
) -> NDArray[np.float64]:
    """(records, 3 · arms) m: TCP displacements to where a gripper next changes, or to the end."""
    position = np.array(
        [[x for arm in arms for x in record.step.arms[arm].tcp_position_m] for record in episode]
    )
    still = (0.0,) * len(gripper_columns)
    orders = [_orders(record, gripper_columns) or still for record in episode]
    target = len(episode) - 1
    result = np.empty_like(position)
    for index in range(len(episode) - 1, -1, -1):
        begins = any(orders[index]) and (index == 0 or orders[index - 1] != orders[index])
        if begins and index > 0:
            target = index
        result[index] = position[target] - position[index]
        if index == target and not begins:
            result[index] = 0.0
    return result


def _orders(record: RecordedStep, columns: Sequence[int]) -> tuple[float, ...] | None:
    action = record.step.human_action
    return None if action is None else tuple(action[column] for column in columns)


# ---- training ----------------------------------------------------------------------------------


def _augmented(
    images: torch.Tensor, settings: CloneSettings, rng: np.random.Generator
) -> torch.Tensor:
    return augment(images, rng, shift_px=settings.shift_px, brightness=settings.brightness)


def _train_encoder(
    net: KeypointNet,
    head_settings: HeadSettings,
    examples: Examples,
    settings: CloneSettings,
    rng: np.random.Generator,
    progress: Progress,
) -> float:
    net.state_mean.copy_(torch.from_numpy(examples.state.mean(0)))
    net.state_std.copy_(torch.from_numpy(np.maximum(examples.state.std(0), 1e-3)))
    head = Head(head_settings)
    parameters = [*net.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.encoder_updates
    )
    recent = 0.0
    for update in range(settings.encoder_updates):
        rows = rng.choice(examples.acted, settings.encoder_batch)
        planes = [_augmented(to_planes(camera[rows]), settings, rng) for camera in examples.images]
        raw = net.raw(planes, torch.from_numpy(examples.state[rows]))
        wanted = torch.from_numpy(examples.subgoal[rows]) / SUBGOAL_SCALE_M
        subgoal_loss = (net.subgoal_of(raw) - wanted).square().sum(-1)
        action_loss = clone_loss(head, raw, torch.from_numpy(examples.action[rows]))
        loss = (subgoal_loss + action_loss).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent += 0.02 * (loss.item() - recent)
        progress("learning to see", 0.9 * (update + 1) / settings.encoder_updates)
    net.eval().requires_grad_(False)
    return recent


def _train_head(
    net: KeypointNet,
    head: Head,
    examples: Examples,
    settings: CloneSettings,
    rng: np.random.Generator,
    progress: Progress,
) -> float:
    plain = _features(net, examples, examples.acted, None, rng)
    raw = [
        _features(net, examples, examples.acted, settings, rng)
        for _ in range(settings.feature_copies)
    ]
    net.feature_mean.copy_(plain.mean(0))
    net.feature_std.copy_(plain.std(0).clamp_min(STD_FLOOR))
    features = torch.cat([plain, *raw])
    features = ((features - net.feature_mean) / net.feature_std).clamp(-5.0, 5.0)
    actions = torch.from_numpy(examples.action[examples.acted]).repeat(1 + len(raw), 1)
    optimizer = torch.optim.Adam(head.parameters(), 3e-4)
    recent = 0.0
    for update in range(settings.head_updates):
        rows = torch.from_numpy(rng.integers(0, len(features), settings.head_batch))
        loss = clone_loss(head, features[rows], actions[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent += 0.02 * (loss.item() - recent)
        progress("learning to act", 0.9 + 0.1 * (update + 1) / settings.head_updates)
    return recent


@torch.inference_mode()
def _features(
    net: KeypointNet,
    examples: Examples,
    rows: NDArray[np.int64],
    settings: CloneSettings | None,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Raw features (rows, features); augmented when settings are given."""
    parts: list[torch.Tensor] = []
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        planes = [to_planes(camera[part]) for camera in examples.images]
        if settings is not None:
            planes = [_augmented(camera, settings, rng) for camera in planes]
        parts.append(net.raw(planes, torch.from_numpy(examples.state[part])))
    return torch.cat(parts).clone()


def _cache(
    net: KeypointNet,
    examples: Examples,
    episodes: Sequence[Sequence[RecordedStep]],
    action: int,
) -> list[Trajectory]:
    """The whole demonstrations as the learner's replay keeps them: features in place of images.

    One with a step that nobody saw is cloned from, but a transition over the gap would be untrue.
    """
    rows = np.arange(len(examples.state))
    raw = _features(net, examples, rows, None, np.random.default_rng(0))
    features = ((raw - net.feature_mean) / net.feature_std).clamp(-5.0, 5.0).numpy()
    trajectories: list[Trajectory] = []
    start = 0
    for episode in episodes:
        steps, end = [record.step for record in episode], start + len(episode)
        if [step.index for step in steps] == list(range(len(steps))):
            trajectories.append(Trajectory.of(steps, features[start:end], action=action))
        start = end
    return trajectories
