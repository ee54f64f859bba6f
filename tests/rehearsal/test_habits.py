"""Habits of people, in whole rehearsals: what is recorded of them, and what is imitated."""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest
from sqlalchemy import select

from robot_rl.commands.database import opened
from robot_rl.errors import PlainError
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.step import Step
from robot_rl.schema.transition import is_example
from robot_rl.server.tables import InterventionDecisionTable
from safety.vocabulary import Phase, Source
from tests.rehearsal.test_two_robots import recorded

GRIPPER = 6  # its column


def presses(steps: Iterable[Step]) -> Iterator[int]:
    """In how many steps each of the person's orders to close stands."""
    ordered = sorted(steps, key=lambda step: step.t_robot_ns)
    actions = [step.commanded_action for step in ordered]
    orders = [action[GRIPPER] for action in actions if action is not None]
    for order, group in groupby(orders):
        if order < 0:
            yield len(list(group))


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(300)
def test_a_gripper_pressed_briefly_and_key_c_forgotten() -> None:
    """The order to close stands in two steps of the records, and the cube is lifted all the same.
    Of the takeover nothing is imitated, because the person once answered "recovery".
    """
    settings = RehearsalSettings(
        cell="simulation",
        task="lift_cube",
        demonstrations=1,
        episodes=3,  # the policy may do one of them alone
        evaluations=0,
        learner=False,
        patience_s=0.3,
        gripper_steps=2,
        forgotten_mark=1.0,
        unmarked_use=InterventionUse.RECOVERY,
        seed=3,
    )
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        report = rehearse(settings, Path(folder), quiet=True)
        steps = [step for step in recorded(Path(folder)) if step.source is Source.HUMAN]
        with opened(Path(folder)) as database, database.engine.connect() as connection:
            rows = connection.execute(select(InterventionDecisionTable.__table__)).all()
    shown, *trained = report.timeline
    assert (shown.purpose, shown.outcome) == (Purpose.DEMONSTRATION, Outcome.SUCCESS)
    decided = {row.intervention_id for row in rows}
    taken_over = [step for step in steps if step.intervention_id in decided]
    assert list(presses(step for step in steps if step.intervention_id not in decided)) == [2]
    assert {entry.purpose for entry in trained} == {Purpose.TRAINING}
    assert report.marks_forgotten == len(rows) == report.interventions - 1 > 0
    assert {(row.use, row.by_default) for row in rows} == {("recovery", True)}
    assert {step.phase for step in taken_over} == {Phase.RECOVERY}, "nobody pressed C"
    use = InterventionUse.RECOVERY
    assert not any(is_example(step, demonstration=False, use=use) for step in taken_over)
    use = InterventionUse.CORRECTION
    assert any(is_example(step, demonstration=False, use=use) for step in taken_over)


def test_a_task_without_a_gripper_has_nothing_to_press(tmp_path: Path) -> None:
    settings = RehearsalSettings(cell="simulation", task="insert_peg", gripper_steps=2)
    with pytest.raises(PlainError, match=r"insert_peg has no gripper.*leave --gripper-steps out"):
        rehearse(settings, tmp_path, quiet=True)
