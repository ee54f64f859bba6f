"""Figures of a success classifier against values counted by hand."""

import numpy as np
import pytest

from robot_rl.evaluation.success_figures import (
    JudgedEpisode,
    episode_figures,
    first_called,
    frame_figures,
    threshold_for,
)


def judged(probability: list[float], label: list[int], *, success: bool) -> JudgedEpisode:
    return JudgedEpisode(
        probability=np.array(probability), label=np.array(label, np.int8), success=success
    )


LIFTED = judged([0.1, 0.2, 0.7, 0.9, 0.95], [0, 0, -1, 1, 1], success=True)
MISSED = judged([0.1, 0.9, 0.1, 0.4, 0.5], [0, 0, -1, 1, 1], success=True)
FAILED = judged([0.1, 0.9, 0.9, 0.1], [0, 0, 0, 0], success=False)


def test_frames_that_nobody_knows_are_left_out() -> None:
    found = frame_figures([LIFTED, MISSED, FAILED], 0.85)
    assert (found.positives, found.negatives) == (4, 8)
    assert found.precision == pytest.approx(2 / 5)
    assert found.recall == pytest.approx(2 / 4)
    # Of 32 pairs: 0.95 and 0.9 beat 8 and 5 (ties with three count half), 0.4 and 0.5 beat 5 each.
    assert found.auroc == pytest.approx((8 + 5 + 1.5 + 5 + 5) / 32)


def test_episodes_are_judged_by_so_many_frames_in_a_row() -> None:
    found = episode_figures([LIFTED, MISSED, FAILED], 0.85, 2)
    assert (found.episodes, found.successes) == (3, 2)
    assert (found.false_alarms, found.missed) == (1, 1)
    alone = episode_figures([LIFTED, MISSED, FAILED], 0.85, 1)
    assert (alone.false_alarms, alone.missed) == (2, 0), "too early in a success is an alarm too"


def test_a_run_of_frames_may_be_broken() -> None:
    assert first_called(np.array([0.9, 0.1, 0.9, 0.9]), 0.85, 2) == 3
    assert first_called(np.array([0.9, 0.1, 0.9]), 0.85, 2) is None


def test_the_threshold_is_the_lowest_with_the_precision() -> None:
    episode = judged([0.9, 0.8, 0.7, 0.7, 0.2, 0.1], [1, 1, 1, 0, 1, 0], success=True)
    assert threshold_for([episode], 1.0) == 0.8, "at 0.7 there is a wrong one"
    assert threshold_for([episode], 0.8) == 0.2
    assert threshold_for([judged([0.9], [0], success=False)], 0.5) is None


def test_nothing_is_no_figure() -> None:
    found = frame_figures([], 0.85)
    assert (found.precision, found.recall, found.auroc) == (None, None, None)
