"""How well a success classifier judges: on frames, and on whole episodes by its rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SUCCESS, NO_SUCCESS, UNKNOWN = 1, 0, -1
"""Of a frame. UNKNOWN: between the two, or nobody said how the episode ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEpisode:
    """All frames of one episode in order; `success`: as people labelled the episode."""

    probability: NDArray[np.float64]  # (frames,)
    label: NDArray[np.int8]  # (frames,)
    success: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFigures:
    """Of frames that are known to be one or the other; None where there was nothing to count."""

    positives: int
    negatives: int
    precision: float | None
    recall: float | None
    auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFigures:
    """false_alarms: episodes called done before they were, or though they never were.
    missed: successes that were never called done.
    """

    episodes: int
    successes: int
    false_alarms: int
    missed: int


def frame_figures(judged: Sequence[JudgedEpisode], threshold: float) -> FrameFigures:
    label, probability = _known(judged)
    called, true = probability >= threshold, label == SUCCESS
    right = int(np.sum(called & true))
    return FrameFigures(
        positives=int(true.sum()),
        negatives=int((~true).sum()),
        precision=right / int(called.sum()) if called.any() else None,
        recall=right / int(true.sum()) if true.any() else None,
        auroc=auroc(label, probability),
    )


def episode_figures(
    judged: Sequence[JudgedEpisode], threshold: float, consecutive: int
) -> EpisodeFigures:
    alarms = missed = 0
    for episode in judged:
        at = first_called(episode.probability, threshold, consecutive)
        if at is None:
            missed += episode.success
        else:
            alarms += not episode.success or episode.label[at] == NO_SUCCESS
    return EpisodeFigures(
        episodes=len(judged),
        successes=sum(episode.success for episode in judged),
        false_alarms=alarms,
        missed=missed,
    )


def first_called(
    probability: NDArray[np.float64], threshold: float, consecutive: int
) -> int | None:
    """The frame at which so many in a row, it and those before, were at or above the threshold."""
    run = 0
    for index, value in enumerate(probability.tolist()):
        run = run + 1 if value >= threshold else 0
        if run >= consecutive:
            return index
    return None


def auroc(label: NDArray[np.int8], probability: NDArray[np.float64]) -> float | None:
    """The chance that a frame of success is given more than one of none; ties count half."""
    positive, negative = probability[label == SUCCESS], probability[label == NO_SUCCESS]
    if not len(positive) or not len(negative):
        return None
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).sum() / (2 * len(positive) * len(negative)))


def threshold_for(judged: Sequence[JudgedEpisode], precision: float) -> float | None:
    """The lowest threshold at which the known frames have that precision, and with it the highest
    recall; None where none has.
    """
    label, probability = _known(judged)
    order = np.argsort(-probability, kind="stable")
    right = np.cumsum(label[order] == SUCCESS)
    reached = right / np.arange(1, len(order) + 1) >= precision
    ordered = probability[order]
    # A threshold takes all frames of one probability, or none.
    last_of_its_value = np.append(ordered[:-1] != ordered[1:], True)
    places = np.flatnonzero(reached & last_of_its_value & (right > 0))
    return float(ordered[places[-1]]) if len(places) else None


def _known(
    judged: Sequence[JudgedEpisode],
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    if not judged:
        return np.empty(0, np.int8), np.empty(0)
    label = np.concatenate([episode.label for episode in judged])
    probability = np.concatenate([episode.probability for episode in judged])
    return label[label != UNKNOWN], probability[label != UNKNOWN]
