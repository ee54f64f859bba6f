"""An encoder learns to see: every picture must tell what the person did, and the subgoal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from robot_rl.learner.augment import augment
from robot_rl.learner.losses import clone_loss
from robot_rl.learner.seeing.examples import Examples
from robot_rl.policy.head import Head
from robot_rl.policy.keypoint_cnn import KeypointNet, to_planes
from robot_rl.policy.manifest import SUBGOAL

SUBGOAL_SCALE_M = 0.1  # so that the subgoal's error weighs about as much as an action's


@dataclass(frozen=True, slots=True, kw_only=True)
class SeeingSettings:
    """How long and how hard."""

    updates: int = 1500
    batch: int = 32
    learning_rate: float = 1e-3
    shift_px: int = 2
    brightness: float = 0.15  # colour jitter: ± this much, and as much contrast


def _augmented(
    images: torch.Tensor, settings: SeeingSettings, rng: np.random.Generator
) -> torch.Tensor:
    return augment(images, rng, shift_px=settings.shift_px, brightness=settings.brightness)


def train_encoder(
    net: KeypointNet,
    head: Head,
    see: Callable[[torch.Tensor], torch.Tensor],
    examples: Examples,
    settings: SeeingSettings,
    rng: np.random.Generator,
) -> Iterator[float]:
    """The encoder and, on what it sees (`see`: raw features → the head's), a head.
    Yields a running mean of the loss after each update; frozen at the end.
    """
    pool = np.union1d(examples.acted, examples.aimed)
    acted = np.isin(np.arange(len(examples.state)), examples.acted)
    aimed = np.isin(np.arange(len(examples.state)), examples.aimed)
    optimizer = torch.optim.AdamW(
        [*net.parameters(), *head.parameters()], settings.learning_rate, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.updates
    )
    recent = 0.0
    for _ in range(settings.updates):
        rows = rng.choice(pool, settings.batch)
        planes = [_augmented(to_planes(camera[rows]), settings, rng) for camera in examples.images]
        raw = net.raw(planes, torch.from_numpy(examples.state[rows]))
        wanted = torch.from_numpy(examples.subgoal[rows]) / SUBGOAL_SCALE_M
        subgoal_loss = (net.subgoal_of(raw) - wanted).square().sum(-1)
        action_loss = clone_loss(head, see(raw), torch.from_numpy(examples.action[rows]))
        loss = (
            subgoal_loss * torch.from_numpy(aimed[rows])
            + action_loss * torch.from_numpy(acted[rows])
        ).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent += 0.02 * (loss.item() - recent)
        yield recent
    net.eval().requires_grad_(False)


def subgoal_error_m(net: KeypointNet, examples: Examples) -> float:
    """By how much the subgoal misses, in the median over the steps where it is known."""
    raw = raw_features(net, examples, examples.aimed, None, np.random.default_rng(0))
    found = net.subgoal_of(raw).numpy() * SUBGOAL_SCALE_M
    wrong = (found - examples.subgoal[examples.aimed]).reshape(len(found), -1, SUBGOAL)
    return float(np.median(np.linalg.norm(wrong, axis=-1).mean(-1)))


@torch.inference_mode()
def raw_features(
    net: KeypointNet,
    examples: Examples,
    rows: NDArray[np.int64],
    settings: SeeingSettings | None,
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
