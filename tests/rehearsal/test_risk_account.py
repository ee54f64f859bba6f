"""What a rehearsal says of its risk critic, from made-up records."""

import pytest

from robot_rl.rehearsal.record import EpisodeLine, Record
from robot_rl.rehearsal.risk_account import RiskAccount
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.step import RiskChoice
from safety.vocabulary import Limit
from tests.rehearsal.test_correction_stages import episode, step


def evaluated(seed: int, outcome: Outcome) -> EpisodeLine:
    return episode(Purpose.EVALUATION).model_copy(update={"seed": seed, "outcome": outcome})


def look(
    account: RiskAccount, line: EpisodeLine, risks: list[float], **at: tuple[int, ...]
) -> None:
    """Records in any order; `at`: steps with a limit, by its name, and `replaced`."""
    for index in reversed(range(len(risks) + 1)):
        limits = Limit.NONE
        for name, steps in at.items():
            if name != "replaced" and index in steps:
                limits |= Limit[name]
        account.look(
            step(line, index, 0.0, None).model_copy(
                update={
                    "executed_action": (0.0,) * 7 if index < len(risks) else None,
                    "limits": int(limits),
                    "risk": risks[index] if index < len(risks) else None,
                    "risk_taken": 0.1 if index in at.get("replaced", ()) else None,
                    "risk_threshold": 0.5,
                    "risk_choice": RiskChoice.RECOVERY if index in at.get("replaced", ()) else None,
                }
            )
        )


def test_only_the_last_frozen_evaluation_counts() -> None:
    before, after = evaluated(1, Outcome.SUCCESS), evaluated(1, Outcome.SUCCESS)
    safe, stopped = evaluated(2, Outcome.SUCCESS), evaluated(3, Outcome.ABORTED)
    record = Record(episodes=(before, episode(Purpose.TRAINING), after, safe, stopped))
    account = RiskAccount(record)
    look(account, before, [0.9, 0.9], BRAKE=(0, 1))
    look(account, after, [0.1, 0.6, 0.9], FORCE=(2,), RISK=(1,), replaced=(2,))
    look(account, safe, [0.1, 0.2])
    look(account, stopped, [0.1, 0.2])
    told = account.report(step_s=0.1, discount=0.85)
    assert told.unsafe_seeds == (1, 3), "a force, and a stop at the last step"
    report = told.figures
    assert (report.episodes, report.successes, report.judged_steps) == (3, 2, 7)
    assert (report.unsafe_episodes, report.unsafe_steps) == (2, 2)
    assert (report.held_steps, report.replaced_steps, report.recovered_steps) == (1, 1, 1)
    assert (report.well, report.coverage) == (1, 1.0)
    assert (report.false_alarms, report.missed, report.lead_steps) == (0, 1, 1)
    assert report.unsafe_episodes_per_hour == pytest.approx(2 / (0.7 / 3600))


def test_what_nothing_was_safe_for_was_not_replaced() -> None:
    """The gate held it: neither another action of the policy nor the recovery policy's."""
    line = evaluated(1, Outcome.SUCCESS)
    account = RiskAccount(Record(episodes=(line,)))
    chosen = (RiskChoice.NONE_SAFE, RiskChoice.RESAMPLED, RiskChoice.RECOVERY, None)
    for index, choice in enumerate(chosen):
        update = {
            "executed_action": (0.0,) * 7,
            "risk": 0.8,
            "risk_taken": None if choice is None else 0.6,
            "risk_choice": choice,
        }
        account.look(step(line, index, 0.0, None).model_copy(update=update))
    figures = account.report(step_s=0.1, discount=0.85).figures
    assert (figures.replaced_steps, figures.recovered_steps) == (2, 1)


def test_without_training_every_evaluation_counts() -> None:
    line = evaluated(1, Outcome.SUCCESS)
    account = RiskAccount(Record(episodes=(line,)))
    look(account, line, [0.1])
    assert account.report(step_s=0.1, discount=0.85).figures.episodes == 1
