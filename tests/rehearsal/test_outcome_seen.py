"""What the scripted person says of an episode: what they saw, a reaction later, unless they err."""

import pytest

from robot_rl.rehearsal.outcome_seen import OutcomeSeen
from robot_rl.schema.episode import Outcome

REACTION_S = 0.3


def test_an_episode_that_is_done_is_ended_a_reaction_after_it_was_first_seen() -> None:
    seen = OutcomeSeen().seeing(1.0, done=False, over=False)
    assert seen.label(9.0, REACTION_S) is None
    seen = seen.seeing(2.0, done=True, over=False).seeing(2.2, done=False, over=False)
    assert seen.label(2.25, REACTION_S) is None
    assert seen.label(2.3001, REACTION_S) is Outcome.SUCCESS, "it was done, and is let fall again"


def test_one_that_is_over_has_failed_unless_it_was_seen_done() -> None:
    seen = OutcomeSeen().seeing(5.0, done=False, over=True)
    assert seen.label(5.2, REACTION_S) is None
    assert seen.label(5.4, REACTION_S) is Outcome.FAILURE
    assert seen.seeing(5.3, done=True, over=True).label(5.4, REACTION_S) is Outcome.SUCCESS


@pytest.mark.parametrize("done", [True, False])
def test_the_wrong_key_says_the_contrary(done: bool) -> None:
    seen = OutcomeSeen(mistaken=True).seeing(1.0, done=done, over=True)
    expected = Outcome.FAILURE if done else Outcome.SUCCESS
    assert seen.label(2.0, REACTION_S) is expected
