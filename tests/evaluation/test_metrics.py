"""Figures against values worked out by hand or published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rl.evaluation.metrics import wilson
from robot_rl.schema.episode import Outcome
from tests.evaluation.episode_facts import EpisodeFacts, by_version, judge, summarise


def episode(
    success: bool | None = True,
    *,
    human_steps: int = 0,
    interventions: int = 0,
    evaluation: bool = True,
    version: int | None = 1,
    steps: int = 100,
) -> EpisodeFacts:
    return EpisodeFacts(
        success=success,
        steps=steps,
        human_steps=human_steps,
        interventions=interventions,
        step_s=0.1,
        evaluation=evaluation,
        policy_version=version,
    )


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_the_published_one(successes: int, trials: int, low: float, high: float) -> None:
    found = wilson(successes, trials)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_is_symmetric(case: tuple[int, int]) -> None:
    successes, trials = case
    found, mirrored = wilson(successes, trials), wilson(trials - successes, trials)
    assert 0 <= found.low <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high)
    if found.value is not None:
        assert found.low <= found.value <= found.high


def test_wilson_refuses_the_impossible() -> None:
    with pytest.raises(ValueError, match="3 successes of 2 trials"):
        wilson(3, 2)


def test_nothing_is_known_of_no_episodes() -> None:
    found = summarise([])
    assert found.episodes == 0
    assert (found.autonomous_success.low, found.autonomous_success.high) == (0, 1)
    assert found.intervention_rate is None
    assert found.takeovers_per_episode is None
    assert found.human_minutes_per_autonomous_success is None


def test_autonomous_success_counts_evaluations_only() -> None:
    found = summarise(
        [
            episode(True),
            episode(True, human_steps=20, interventions=1),  # helped: the policy failed
            episode(False),
            episode(None),  # unlabelled or cut off
            episode(True, evaluation=False),
        ]
    )
    assert (found.autonomous_success.successes, found.autonomous_success.trials) == (1, 3)
    assert (found.assisted_success.successes, found.assisted_success.trials) == (3, 4)


@pytest.mark.parametrize(
    ("outcome", "complete", "success"),
    [
        (Outcome.SUCCESS, True, True),
        (Outcome.FAILURE, True, False),
        (Outcome.ABORTED, True, False),  # by a person, a stop or a latched fault
        (Outcome.ABORTED, False, None),  # a system fault cut it off
        (Outcome.SUCCESS, False, True),  # a person looked at what there is of it
        (None, True, None),
    ],
)
def test_an_aborted_episode_is_not_a_success(
    outcome: Outcome | None, complete: bool, success: bool | None
) -> None:
    assert judge(outcome, complete=complete) is success


def test_help_is_measured_in_steps_takeovers_and_minutes() -> None:
    found = summarise(
        [
            episode(True, human_steps=30, interventions=2),
            episode(True),
            episode(False, human_steps=10, interventions=1),
            episode(True),
        ]
    )
    assert found.intervention_rate == pytest.approx(40 / 400)
    assert found.takeovers_per_episode == pytest.approx(3 / 4)
    assert found.human_s == pytest.approx(4.0)
    assert found.robot_s == pytest.approx(40.0)
    assert found.human_minutes_per_autonomous_success == pytest.approx(4 / 60 / 2)
    assert found.mean_time_between_interventions_s == pytest.approx(36 / 3)


def test_a_streak_ends_with_help_or_failure_and_skips_the_unlabelled() -> None:
    alone, helped, failed, unknown = (
        episode(True),
        episode(True, human_steps=1),
        episode(False),
        episode(None),
    )
    found = summarise([alone, alone, helped, alone, unknown, alone, alone, failed, alone])
    assert found.longest_streak == 3


def test_versions_are_in_order() -> None:
    groups = by_version(episode(version=v) for v in (3, None, 1, 3))
    assert list(groups) == [3, 1, None]
    assert len(groups[3]) == 2
