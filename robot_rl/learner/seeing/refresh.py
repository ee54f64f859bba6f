"""One refresh of an encoder: trained on from the one in use, on the stored pictures, and judged on
episodes that it was not trained on. What comes out is a policy folder, as a starting policy is one,
and how the features so far follow from the new ones.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import torch
from numpy.typing import NDArray

from robot_rl.config.task import Task
from robot_rl.errors import PlainError
from robot_rl.learner.algorithm import not_finite
from robot_rl.learner.encoder import Encoder
from robot_rl.learner.replay import Told
from robot_rl.learner.seeing.carry_over import Translation, carry_over
from robot_rl.learner.seeing.examples import Examples
from robot_rl.learner.seeing.lessons import examples_of, lessons_of
from robot_rl.learner.seeing.readout import read_by_ridge
from robot_rl.learner.seeing.training import (
    SeeingSettings,
    raw_features,
    subgoal_error_m,
    train_encoder,
)
from robot_rl.policy.checkpoint import write_checkpoint
from robot_rl.policy.head import Head
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.interface import Backbone
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet
from robot_rl.policy.manifest import CheckpointManifest
from robot_rl.policy.starting import sees_one_place
from robot_rl.policy.weights import sha256_of_net
from robot_rl.schema.feed import FeedItem

FEWEST, FEWEST_HELD_OUT = 100, 20  # steps with a known subgoal
FITTED = 2000  # moments that the translation is fitted on
REFRESHED_FROM = "refreshed_from"
"""In the report of the folder's manifest: the SHA-256 of the starting policy's backbone."""


class NotRefreshed(PlainError):
    """The encoder in use stays: the message says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a refresh begins with: nothing in it changes any more."""

    told: tuple[Told, ...]
    cursor: int  # of the feed: later items are encoded when the learner reads them again
    received: int  # training steps so far
    net: KeypointNet  # the encoder in use
    acting: AnyHead  # what is trained now, on the processor
    starting: AnyHead  # of the kind that the starting policy has
    starting_sha256: str  # of the starting policy's backbone


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the recorded data is."""

    items: Callable[[int], Sequence[FeedItem]]  # of the feed, up to a cursor
    segment: Callable[[UUID, str], bytes]  # id and SHA-256 of a segment → its bytes
    encoder: Callable[[Backbone, CheckpointManifest], Encoder]  # that keeps what it encodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """A better encoder; everything up to the work's cursor is encoded with it."""

    folder: Path
    sha256: str
    translation: Translation
    text: str  # what it is worth


def refresh(
    work: Work, task: Task, seed: int, sources: Sources, folder: Path, count: Callable[[], None]
) -> Refreshed:
    """`count` is called after every update, and after every item that is encoded.

    Raises NotRefreshed, BadSegment, OSError, and what the sources raise.
    """
    items = sources.items(work.cursor)
    lessons = lessons_of(work.told, items)
    learned, held_out = (
        examples_of(
            [lesson for lesson in lessons if lesson.held_out == held],
            sources.segment,
            task,
            work.net.settings,
        )
        for held in (False, True)
    )
    if len(learned.aimed) < FEWEST or len(held_out.aimed) < FEWEST_HELD_OUT:
        raise NotRefreshed(
            f"too few steps led to a success ({len(learned.aimed)} to learn from, {FEWEST} are "
            f"needed; {len(held_out.aimed)} to judge it by, {FEWEST_HELD_OUT} are needed)"
        )
    net = _trained(work, task, seed, learned, count)
    before_m, after_m = (subgoal_error_m(each, held_out) for each in (work.net, net))
    if after_m > before_m:
        raise NotRefreshed(
            f"on episodes that it was not trained on, its subgoal misses by {after_m * 1e3:.1f} mm "
            f"in the median, and that of the encoder in use by {before_m * 1e3:.1f} mm"
        )
    translation = _translation(work.net, net, learned)
    change = _action_change(work, net, translation, held_out)
    if not change <= task.learner.encoder.action_margin:
        raise NotRefreshed(
            f"with it the policy would do something else: {change:.3f} an axis (mean square), and "
            f"{task.learner.encoder.action_margin:g} is allowed (learner.encoder.action_margin)"
        )
    starting = copy.deepcopy(work.starting)
    carry_over(starting, translation)
    sha256 = sha256_of_net(net)
    place = folder / sha256
    manifest = write_checkpoint(
        place,
        net=net,
        head=starting,
        task=task.name,
        instruction=task.instruction,
        algorithm=task.learner.algorithm,
        report={
            REFRESHED_FROM: work.starting_sha256,
            "steps": work.received,
            "episodes": len(lessons),
            "subgoal_error_before_mm": round(before_m * 1e3, 3),
            "subgoal_error_mm": round(after_m * 1e3, 3),
            "unexplained_features": round(translation.unexplained, 5),
            "action_change": round(change, 5),
        },
    )
    _encode(sources.encoder(KeypointCnn(net, sha256), manifest), items, count)
    return Refreshed(
        folder=place,
        sha256=sha256,
        translation=translation,
        text=f"its subgoal misses by {after_m * 1e3:.1f} mm in the median on episodes that it was "
        f"not trained on, before by {before_m * 1e3:.1f} mm",
    )


def _trained(
    work: Work, task: Task, seed: int, examples: Examples, count: Callable[[], None]
) -> KeypointNet:
    wanted = task.learner.encoder
    settings = SeeingSettings(
        updates=wanted.updates, batch=wanted.batch, learning_rate=wanted.learning_rate
    )
    net = copy.deepcopy(work.net).requires_grad_(True)
    rng = np.random.default_rng([seed, 2, work.received])
    for _ in train_encoder(net, _reader(work.acting), net.standardised, examples, settings, rng):
        count()
    if sees_one_place(task):
        read_by_ridge(net, examples, settings, rng)
    wrong = not_finite(net.state_dict())
    if wrong:
        raise NotRefreshed(f"its training ended with values in {wrong} that are not finite")
    return net


def _reader(acting: AnyHead) -> Head:
    """A head that reads the features while they change: like the one that acts, where it is of that
    kind, so that the features keep their meaning for it.
    """
    if isinstance(acting, Head):
        return copy.deepcopy(acting).train().requires_grad_(True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Head(acting.settings.model_copy(update={"kind": "gaussian"}))


def _translation(before: KeypointNet, after: KeypointNet, examples: Examples) -> Translation:
    count = len(examples.state)
    rows = np.linspace(0, count - 1, min(count, FITTED)).astype(np.int64)
    return Translation.fitted(_features(before, examples, rows), _features(after, examples, rows))


def _action_change(
    work: Work, net: KeypointNet, translation: Translation, examples: Examples
) -> float:
    """Mean square an axis between what the policy does now and what it would do."""
    rows = np.arange(len(examples.state))
    carried = copy.deepcopy(work.acting)
    carry_over(carried, translation)
    with torch.inference_mode():
        now, _ = work.acting.decision(_features(work.net, examples, rows))
        then, _ = carried.decision(_features(net, examples, rows))
    return float((now - then).square().mean())


def _features(net: KeypointNet, examples: Examples, rows: NDArray[np.int64]) -> torch.Tensor:
    return net.standardised(raw_features(net, examples, rows, None, np.random.default_rng(0)))


def _encode(encoder: Encoder, items: Sequence[FeedItem], count: Callable[[], None]) -> None:
    try:
        for _ in encoder.deliver(items):
            count()
    finally:
        encoder.close()
