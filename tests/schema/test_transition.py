"""What counts as trainable, as a demonstration, as a success: one rule for everybody."""

from uuid import uuid4

import pytest

from benchmarks.recording import recorded
from robot_rl.config.task import Reward
from robot_rl.schema.episode import Outcome
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.segment import RecordedStep, count_trainable, encode_segment, read_table
from robot_rl.schema.transition import (
    demonstrates,
    drove_alone,
    gripper_changes,
    is_over,
    is_trainable,
    orders_after,
    shows,
    succeeds,
    transition_reward,
)
from safety.vocabulary import Phase, Source

BY_SIMULATOR, BY_OPERATOR = Reward(), Reward(source="operator")


@pytest.mark.parametrize(
    ("source", "acted", "pictures", "cameras", "trainable"),
    [
        (Source.POLICY, True, ("front", "wrist"), ("front", "wrist"), True),
        (Source.HOLD, True, ("front", "wrist"), ("front",), True),
        (Source.POLICY, True, ("front",), ("front", "wrist"), False),
        (Source.POLICY, True, (), (), True),  # the state alone is the observation
        (Source.POLICY, False, ("front",), ("front",), False),
        (Source.RESET, True, ("front",), ("front",), False),
    ],
)
def test_a_step_is_trainable_when_it_was_seen_and_decided(
    source: Source,
    acted: bool,
    pictures: tuple[str, ...],
    cameras: tuple[str, ...],
    trainable: bool,
) -> None:
    assert is_trainable(source, acted=acted, pictures=pictures, cameras=cameras) is trainable


def test_a_segment_counts_by_the_same_rule() -> None:
    episode = uuid4()
    seen = [recorded(episode, index) for index in range(3)]
    half = RecordedStep(step=recorded(episode, 3).step, images={"wrist": b"jpeg"})
    table = read_table(encode_segment([*seen, half, recorded(episode, 4, acted=False)]))
    assert count_trainable(table, ["front", "wrist"]) == 3
    assert count_trainable(table, ["wrist"]) == 4
    assert count_trainable(table, []) == 4
    assert count_trainable(table, ["top"]) == 0
    blind = [RecordedStep(step=record.step, images={}) for record in seen]
    assert count_trainable(read_table(encode_segment(blind)), []) == 3


CORRECTION, RECOVERY = InterventionUse.CORRECTION, InterventionUse.RECOVERY


@pytest.mark.parametrize(
    ("source", "phase", "demonstration", "use", "correction_steps", "shown"),
    [
        (Source.HUMAN, Phase.CORRECTION, False, None, 3, True),
        (Source.HUMAN, Phase.RECOVERY, False, None, 3, False),
        (Source.HUMAN, Phase.RECOVERY, True, None, 0, True),
        (Source.POLICY, Phase.CORRECTION, True, CORRECTION, 3, False),
        (Source.HUMAN, Phase.RECOVERY, False, CORRECTION, 0, True),
        (Source.HUMAN, Phase.RECOVERY, False, CORRECTION, 3, False),
        (Source.HUMAN, Phase.CORRECTION, False, CORRECTION, 3, True),
        (Source.HUMAN, Phase.CORRECTION, False, RECOVERY, 3, False),
        (Source.HUMAN, Phase.CORRECTION, False, InterventionUse.DISCARD, 3, False),
    ],
)
def test_what_was_decided_about_an_intervention_outweighs_its_phases(
    source: Source,
    phase: Phase,
    demonstration: bool,
    use: InterventionUse | None,
    correction_steps: int,
    shown: bool,
) -> None:
    found = shows(
        source, phase, demonstration=demonstration, use=use, correction_steps=correction_steps
    )
    assert found is shown


def test_a_part_of_an_action_is_no_action() -> None:
    assert drove_alone((0.5, 0.0, -1.0), (0.5 + 1e-6, 0.0, -1.0))
    assert not drove_alone((0.5, 0.0, 0.0), (0.7, 0.0, 0.0)), "the policy moved it before"
    assert not drove_alone((0.5, 0.0, 0.0), (0.5, 0.0, -1.0)), "the policy closed the gripper"


def test_only_a_successful_demonstration_is_imitated() -> None:
    for outcome in (*Outcome, None):
        assert demonstrates(demonstration=True, outcome=outcome) is (outcome is Outcome.SUCCESS)
        assert demonstrates(demonstration=False, outcome=outcome)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("evidence", [False, True])
def test_a_label_outweighs_the_evidence_and_pays_on_the_last_step(
    last: bool, evidence: bool
) -> None:
    def found(rule: Reward, outcome: Outcome | None) -> bool | None:
        return succeeds(rule, last=last, evidence=evidence, outcome=outcome)

    for rule in (BY_SIMULATOR, BY_OPERATOR):
        assert found(rule, Outcome.SUCCESS) is last
        assert found(rule, Outcome.FAILURE) is False
        assert found(rule, Outcome.ABORTED) is False
    assert found(BY_SIMULATOR, None) is evidence
    assert found(BY_OPERATOR, None) is (None if last else False)
    assert is_over(BY_SIMULATOR, evidence=evidence) is evidence
    assert is_over(BY_OPERATOR, evidence=evidence) is False


def test_reward_and_gripper() -> None:
    rule = Reward(success=10.0, step=-0.05)
    assert transition_reward(rule, success=True) == pytest.approx(9.95)
    assert transition_reward(rule, success=False) == pytest.approx(-0.05)
    assert gripper_changes((-1.0,), (1.0,)) == 1
    assert gripper_changes((-1.0,), (-1.0,)) == gripper_changes((0.0,), (1.0,)) == 0
    assert gripper_changes((-1.0, 1.0), (1.0, 0.0)) == 2
    assert gripper_changes((), ()) == 0
    assert orders_after((0.0, -1.0), (1.0, 1.0)) == (1.0, -1.0)
