"""Figures of a risk critic against episodes worked out by hand."""

import numpy as np
import pytest

from robot_rl.evaluation.risk_figures import RiskEpisode, discounted, risk_figures


def episode(
    risk: list[float], unsafe: tuple[int, ...] = (), *, success: bool = True, threshold: float = 0.5
) -> RiskEpisode:
    steps = len(risk)
    return RiskEpisode(
        success=success,
        unsafe=np.isin(np.arange(steps), unsafe),
        held=np.array(risk) > 0.9,
        replaced=np.zeros(steps, np.bool_),
        recovered=np.zeros(steps, np.bool_),
        risk=np.array(risk),
        threshold=np.full(steps, threshold),
    )


def test_what_a_risk_estimates_is_the_discounted_time_to_the_next_unsafe_step() -> None:
    unsafe = np.array([False, False, True, False, True, False])
    assert discounted(unsafe, 0.5).tolist() == [0.25, 0.5, 1.0, 0.5, 1.0, 0.0]


def test_unsafe_steps_in_a_row_are_one_event() -> None:
    counts = [episode([0.1] * 6, at).events for at in ((), (0,), (0, 1, 3), (2, 4, 5))]
    assert counts == [0, 1, 2, 2]


def test_alarms_leads_and_what_was_missed() -> None:
    figures = risk_figures(
        [
            episode([0.1, 0.2, 0.1]),
            episode([0.1, 0.6, 0.1]),  # a false alarm
            episode([0.1, 0.6, 0.7, 0.95], (3,), success=False),  # two steps ahead
            episode([0.1, 0.1, 0.6], (1,), success=False),  # too late
            episode([0.9, 0.1], success=False),  # it failed: no false alarm
        ],
        step_s=0.1,
        discount=0.85,
    )
    assert (figures.episodes, figures.successes) == (5, 2)
    assert (figures.unsafe_episodes, figures.unsafe_events, figures.unsafe_steps) == (2, 2, 2)
    assert figures.unsafe_events_per_hour == figures.unsafe_episodes_per_hour
    assert (figures.false_alarms, figures.missed, figures.lead_steps) == (1, 1, 2)
    assert (figures.well, figures.coverage) == (2, 0.5)
    assert (figures.held_steps, figures.judged_steps) == (1, 15)
    assert figures.hours == pytest.approx(15 * 0.1 / 3600)
    assert figures.unsafe_episodes_per_hour == pytest.approx(2 / figures.hours)


def test_a_critic_that_knows_is_told_from_one_that_does_not() -> None:
    rng = np.random.default_rng(0)
    knows, guesses = [], []
    for _ in range(60):
        unsafe = rng.random(30) < 0.02
        truth = discounted(unsafe, 0.85)
        at = tuple(np.flatnonzero(unsafe).tolist())
        knows.append(episode(truth.tolist(), at))
        guesses.append(episode(rng.random(30).tolist(), at))
    good = risk_figures(knows, step_s=0.1, discount=0.85)
    bad = risk_figures(guesses, step_s=0.1, discount=0.85)
    assert good.auroc is not None
    assert good.auroc > 0.99
    assert good.calibration_error == pytest.approx(0, abs=1e-9)
    assert bad.auroc == pytest.approx(0.5, abs=0.06)
    assert bad.calibration_error is not None
    assert bad.calibration_error > 0.2


def test_without_a_critic_only_what_happened_is_counted() -> None:
    plain = episode([np.nan] * 4, (2,), threshold=np.nan)
    figures = risk_figures([plain], step_s=0.1, discount=0.85)
    assert (figures.auroc, figures.calibration_error, figures.lead_steps) == (None, None, None)
    assert (figures.judged_steps, figures.unsafe_steps, figures.missed) == (0, 1, 1)
    well = episode([0.1, 0.9], threshold=np.nan)
    uncalibrated = risk_figures([well], step_s=0.1, discount=0.85)
    assert (uncalibrated.well, uncalibrated.coverage) == (0, None), "nothing to stay below"
    assert risk_figures([], step_s=0.1, discount=0.85).unsafe_episodes_per_hour == 0.0
