"""What the person saw, against what the classifier said of whole episodes."""

from datetime import UTC, datetime
from uuid import UUID

from robot_rl.rehearsal.record import EpisodeLine, Record
from robot_rl.rehearsal.review import errors_of_evidence, errors_of_labels
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import new_id


def line(
    episode_id: UUID,
    outcome: Outcome,
    *,
    purpose: Purpose = Purpose.TRAINING,
    labeller: str = "classifier",
    classified: bool | None = None,
) -> EpisodeLine:
    return EpisodeLine(
        episode_id=episode_id,
        robot="panda",
        started_t_utc=datetime.now(UTC),
        purpose=purpose,
        seed=0,
        started_t_robot_ns=0,
        ended_t_robot_ns=1,
        outcome=outcome,
        labeller=labeller,
        classifier_success=classified,
        stored_steps=2,
        steps=1,
        trainable_steps=1,
        human_steps=0,
        interventions=0,
        policy_versions=(1,),
    )


def test_rewards_are_judged_by_what_the_person_saw() -> None:
    false, missed, right, unseen, labelled = (new_id() for _ in range(5))
    record = Record(
        episodes=(
            line(false, Outcome.SUCCESS),
            line(missed, Outcome.FAILURE),
            line(right, Outcome.SUCCESS),
            line(unseen, Outcome.SUCCESS),
            line(labelled, Outcome.SUCCESS, labeller="ada", classified=False),
        )
    )
    saw = {false: False, missed: True, right: True, labelled: True}
    errors = errors_of_labels(record, saw)
    assert (errors.episodes, errors.false_successes, errors.missed) == (3, 1, 1)
    assert str(errors).startswith("1/3 = 0.33")


def test_in_an_evaluation_its_evidence_is_judged_whatever_the_person_labelled() -> None:
    false, missed, right, unjudged, taught = (new_id() for _ in range(5))
    frozen = Purpose.EVALUATION
    record = Record(
        episodes=(
            line(false, Outcome.FAILURE, purpose=frozen, labeller="ada", classified=True),
            line(missed, Outcome.SUCCESS, purpose=frozen, labeller="ada", classified=False),
            line(right, Outcome.SUCCESS, purpose=frozen, labeller="ada", classified=True),
            line(unjudged, Outcome.SUCCESS, purpose=frozen, labeller="ada"),
            line(taught, Outcome.FAILURE, classified=True),
        )
    )
    saw = {false: False, missed: True, right: True, unjudged: True, taught: False}
    errors = errors_of_evidence(record, saw)
    assert (errors.episodes, errors.false_successes, errors.missed) == (3, 1, 1)
