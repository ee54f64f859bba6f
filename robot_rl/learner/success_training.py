"""Trains a success classifier on labelled frames, and measures it on episodes that it never saw.

Episodes are split, never frames: neighbouring frames are almost the same picture. Batches hold two
frames of no success to one of success (published: two to three), however many there are of each.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.evaluation.success_figures import (
    NO_SUCCESS,
    SUCCESS,
    JudgedEpisode,
    episode_figures,
    frame_figures,
    threshold_for,
)
from robot_rl.learner.augment import augment
from robot_rl.learner.labelled_frames import LabelledEpisode
from robot_rl.learner.success_frames import (
    ADVISED_POSITIVES,
    FEWEST_EPISODES,
    FEWEST_NEGATIVES,
    FEWEST_POSITIVES,
)
from robot_rl.policy.keypoint_cnn import to_planes
from robot_rl.policy.success_classifier import SuccessNet, encode_net
from robot_rl.policy.success_manifest import (
    SuccessFigures,
    SuccessManifest,
    SuccessSettings,
    store_classifier,
)

THRESHOLD = 0.85
"""As published (HIL-SERL)."""
_AT_ONCE = 64  # frames that are judged together

type Progress = Callable[[float], None]
"""Called with how much is done, 0 … 1."""


class NotEnoughFrames(BadInput):
    """There is too little to train a classifier from: the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessTraining:
    """How long and how hard. `precision`: choose the threshold with the highest recall that has it
    on the held-out frames; None: THRESHOLD.
    """

    seed: int = 0
    updates: int = 600
    batch: int = 48
    learning_rate: float = 1e-3
    held_out: float = 0.3  # share of the episodes
    shift_px: int = 4
    brightness: float = 0.15
    consecutive: int = 2
    precision: float | None = None


def train_classifier(
    episodes: Sequence[LabelledEpisode],
    task: Task,
    folder: Path,
    shape: SuccessSettings,
    settings: SuccessTraining,
    progress: Progress = lambda _share: None,
) -> SuccessManifest:
    """Train, measure and store a version. Raises NotEnoughFrames."""
    started = time.monotonic()
    check_enough(episodes, task)
    rng = np.random.default_rng(settings.seed)
    training, held_out = split(episodes, settings.held_out, rng)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        net = SuccessNet(shape)
        loss = fit(net, training, settings, rng, progress)
    figures = measure(judge_all(net, held_out), settings)
    labels = np.concatenate([episode.label for episode in training])
    return store_classifier(
        folder,
        encode_net(net),
        task=task.name,
        settings=shape,
        held_out=figures,
        report={
            "episodes": len(training),
            "positives": int(np.sum(labels == SUCCESS)),
            "negatives": int(np.sum(labels == NO_SUCCESS)),
            "seed": settings.seed,
            "updates": settings.updates,
            "loss": round(loss, 5),
            "wall_s": round(time.monotonic() - started, 1),
        },
    )


def check_enough(episodes: Sequence[LabelledEpisode], task: Task) -> None:
    """Raises NotEnoughFrames."""
    found = {
        label: [int(np.sum(episode.label == label)) for episode in episodes]
        for label in (SUCCESS, NO_SUCCESS)
    }
    positives, negatives = sum(found[SUCCESS]), sum(found[NO_SUCCESS])
    showing = sum(count > 0 for count in found[SUCCESS])
    if (
        positives >= FEWEST_POSITIVES
        and negatives >= FEWEST_NEGATIVES
        and showing >= FEWEST_EPISODES
    ):
        return
    raise NotEnoughFrames(
        f"there are {positives} frames of success from {showing} episodes of {task.name} and "
        f"{negatives} of none; at least {FEWEST_POSITIVES} from {FEWEST_EPISODES} and "
        f"{FEWEST_NEGATIVES} are needed ({ADVISED_POSITIVES} and twice as many are better): record "
        "more episodes and label them, or mark frames on an episode's page in the console"
    )


def split(
    episodes: Sequence[LabelledEpisode], share: float, rng: np.random.Generator
) -> tuple[list[LabelledEpisode], list[LabelledEpisode]]:
    """For training and held out: that share of the episodes with frames of success, and of the
    others, one of each kind at least where there are two.
    """
    training: list[LabelledEpisode] = []
    held_out: list[LabelledEpisode] = []
    for showing in (True, False):
        kind = [each for each in episodes if bool(np.any(each.label == SUCCESS)) is showing]
        count = min(max(1, round(share * len(kind))), len(kind) - 1) if kind else 0
        chosen = set(rng.permutation(len(kind))[:count].tolist())
        for place, episode in enumerate(kind):
            (held_out if place in chosen else training).append(episode)
    return training, held_out


def fit(
    net: SuccessNet,
    episodes: Sequence[LabelledEpisode],
    settings: SuccessTraining,
    rng: np.random.Generator,
    progress: Progress = lambda _share: None,
) -> float:
    """Train; the loss at the end."""
    rows = {label: _rows(episodes, label) for label in (SUCCESS, NO_SUCCESS)}
    positives = settings.batch // 3
    target = torch.zeros(settings.batch)
    target[:positives] = 1.0
    optimizer = torch.optim.AdamW(net.parameters(), settings.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.updates
    )
    net.train()
    recent = 0.0
    for update in range(settings.updates):
        chosen = [
            *_draw(rows[SUCCESS], positives, rng),
            *_draw(rows[NO_SUCCESS], settings.batch - positives, rng),
        ]
        planes = [
            augment(
                to_planes(np.stack([episodes[e].images[camera][frame] for e, frame in chosen])),
                rng,
                shift_px=settings.shift_px,
                brightness=settings.brightness,
            )
            for camera in range(len(net.settings.cameras))
        ]
        loss = nn.functional.binary_cross_entropy_with_logits(net(planes), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent += 0.05 * (loss.item() - recent)
        progress((update + 1) / settings.updates)
    net.eval().requires_grad_(False)
    return recent


def judge_all(net: SuccessNet, episodes: Sequence[LabelledEpisode]) -> list[JudgedEpisode]:
    return [
        JudgedEpisode(
            probability=_probabilities(net, episode), label=episode.label, success=episode.success
        )
        for episode in episodes
    ]


def measure(judged: Sequence[JudgedEpisode], settings: SuccessTraining) -> SuccessFigures:
    """Raises NotEnoughFrames: no threshold has the precision that was asked for."""
    threshold: float | None = THRESHOLD
    if settings.precision is not None:
        threshold = threshold_for(judged, settings.precision)
        if threshold is None:
            raise NotEnoughFrames(
                f"no threshold has a precision of {settings.precision:g} on the held-out frames: "
                "ask for less, or record and label more episodes"
            )
    threshold = min(max(threshold, 0.01), 0.999)
    frames = frame_figures(judged, threshold)
    whole = episode_figures(judged, threshold, settings.consecutive)
    return SuccessFigures(
        threshold=threshold,
        consecutive=settings.consecutive,
        episodes=whole.episodes,
        positives=frames.positives,
        negatives=frames.negatives,
        precision=frames.precision,
        recall=frames.recall,
        auroc=frames.auroc,
        successes=whole.successes,
        false_alarms=whole.false_alarms,
        missed=whole.missed,
    )


def _rows(episodes: Sequence[LabelledEpisode], label: int) -> NDArray[np.int64]:
    """(frames, 2): episode and frame."""
    found = [
        (number, int(frame))
        for number, episode in enumerate(episodes)
        for frame in np.flatnonzero(episode.label == label)
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def _draw(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    return [(int(e), int(frame)) for e, frame in rows[rng.integers(0, len(rows), count)]]


@torch.inference_mode()
def _probabilities(net: SuccessNet, episode: LabelledEpisode) -> NDArray[np.float64]:
    parts: list[torch.Tensor] = []
    for start in range(0, len(episode.label), _AT_ONCE):
        planes = [to_planes(camera[start : start + _AT_ONCE]) for camera in episode.images]
        parts.append(torch.sigmoid(net(planes)))
    return torch.cat(parts).double().numpy()
