"""Behaviour cloning: a starting policy from a few demonstrations, in minutes on two cores.

Two stages. First the encoder learns to see: every image must tell which action the person took, and
the subgoal: how far the TCP was from where the gripper next changed (or the demonstration ended).
Both come from what a robot records; no simulator truth enters. Then the encoder is frozen; where
the task aims at one place its subgoal is read anew (robot_rl.learner.seeing.readout); its features
are standardised, and the head is trained on them, as the learner will go on training it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from robot_rl.config.task import Task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.demonstrations import encode_trajectories
from robot_rl.learner.losses import clone_loss
from robot_rl.learner.seeing.examples import Examples, gather
from robot_rl.learner.seeing.readout import read_by_ridge
from robot_rl.learner.seeing.training import SeeingSettings, raw_features, train_encoder
from robot_rl.policy.checkpoint import write_checkpoint
from robot_rl.policy.head import Head
from robot_rl.policy.keypoint_cnn import KeypointNet
from robot_rl.policy.manifest import CheckpointManifest
from robot_rl.policy.starting import sees_one_place, shapes
from robot_rl.policy.weights import sha256_of_net
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.transition import is_seen

STD_FLOOR = 0.02  # keypoints and SI values that never moved are not blown up


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneSettings:
    """How long and how hard. The defaults take a few minutes on two cores for 30 demonstrations."""

    seed: int = 0
    encoder_updates: int = 1500
    encoder_batch: int = 32
    # Few and decayed: below the noise of a person's hand there is nothing to learn.
    head_updates: int = 1000
    head_weight_decay: float = 1.0
    head_batch: int = 128
    learning_rate: float = 1e-3
    shift_px: int = 2
    brightness: float = 0.15  # colour jitter: ± this much, and as much contrast
    feature_copies: int = 4  # augmented copies of every image that the head is trained on

    @property
    def seeing(self) -> SeeingSettings:
        return SeeingSettings(
            updates=self.encoder_updates,
            batch=self.encoder_batch,
            learning_rate=self.learning_rate,
            shift_px=self.shift_px,
            brightness=self.brightness,
        )


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
        net.state_mean.copy_(torch.from_numpy(examples.state.mean(0)))
        net.state_std.copy_(torch.from_numpy(np.maximum(examples.state.std(0), 1e-3)))
        reading = Head(head_settings)  # of raw features; thrown away
        losses = [0.0]
        for loss in train_encoder(net, reading, _as_they_are, examples, settings.seeing, rng):
            losses.append(loss)
            progress("learning to see", 0.9 * (len(losses) - 1) / settings.encoder_updates)
        if sees_one_place(task):
            read_by_ridge(net, examples, settings.seeing, rng)
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
            "encoder_loss": round(losses[-1], 5),
            "head_loss": round(head_loss, 5),
            "wall_s": round(time.monotonic() - started, 1),
        },
    )


# ---- what was demonstrated ---------------------------------------------------------------------


def _seen(episode: Sequence[RecordedStep], cameras: Sequence[str]) -> list[RecordedStep]:
    """Without the steps that nobody looked at (the actor came too late, or a camera never did)."""
    return [record for record in episode if is_seen(record.images, cameras)]


def _as_they_are(raw: torch.Tensor) -> torch.Tensor:
    return raw


# ---- training ----------------------------------------------------------------------------------


def _train_head(
    net: KeypointNet,
    head: Head,
    examples: Examples,
    settings: CloneSettings,
    rng: np.random.Generator,
    progress: Progress,
) -> float:
    plain = raw_features(net, examples, examples.acted, None, rng)
    raw = [
        raw_features(net, examples, examples.acted, settings.seeing, rng)
        for _ in range(settings.feature_copies)
    ]
    net.feature_mean.copy_(plain.mean(0))
    net.feature_std.copy_(plain.std(0).clamp_min(STD_FLOOR))
    features = net.standardised(torch.cat([plain, *raw]))
    actions = torch.from_numpy(examples.action[examples.acted]).repeat(1 + len(raw), 1)
    optimizer = torch.optim.AdamW(head.parameters(), 3e-4, weight_decay=settings.head_weight_decay)
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
    raw = raw_features(net, examples, rows, None, np.random.default_rng(0))
    features = net.standardised(raw).numpy()
    trajectories: list[Trajectory] = []
    start = 0
    for episode in episodes:
        steps, end = [record.step for record in episode], start + len(episode)
        if [step.index for step in steps] == list(range(len(steps))):
            trajectories.append(Trajectory.of(steps, features[start:end], action=action))
        start = end
    return trajectories
