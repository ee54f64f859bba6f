"""What the person saw, against the classifier's labels; frozen evaluations are put right."""

import json
from datetime import UTC, datetime
from uuid import UUID

from robot_rl.rehearsal.record import EpisodeLine, Record
from robot_rl.rehearsal.review import classifier_errors, put_right
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import new_id
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.figures import summary
from tests.server.conftest import RunningServer
from tests.server.recordings import ROBOT, Recording, post


def line(
    episode_id: UUID, purpose: Purpose, outcome: Outcome, labeller: str = "classifier"
) -> EpisodeLine:
    return EpisodeLine(
        episode_id=episode_id,
        robot=ROBOT,
        started_t_utc=datetime.now(UTC),
        purpose=purpose,
        seed=0,
        started_t_robot_ns=0,
        ended_t_robot_ns=1,
        outcome=outcome,
        labeller=labeller,
        stored_steps=2,
        steps=1,
        trainable_steps=1,
        human_steps=0,
        interventions=0,
        policy_versions=(1,),
    )


def test_only_frozen_evaluations_that_the_classifier_ended_wrongly_are_relabelled(
    server: RunningServer,
) -> None:
    recording = Recording()
    kinds = [
        (Purpose.EVALUATION, "classifier"),
        (Purpose.TRAINING, "classifier"),
        (Purpose.EVALUATION, "ada"),
        (Purpose.EVALUATION, "classifier"),
    ]
    ids: list[UUID] = []
    for purpose, labeller in kinds:
        episode_id = recording.start(purpose=purpose)
        recording.step(episode_id, 0)
        recording.step(episode_id, 1, last=True)
        recording.end(episode_id, 1, labeller=labeller)
        ids.append(episode_id)
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    record = Record(
        episodes=tuple(
            line(episode_id, purpose, Outcome.SUCCESS, labeller)
            for episode_id, (purpose, labeller) in zip(ids, kinds, strict=True)
        )
    )
    saw = dict(zip(ids, (False, False, False, True), strict=True))
    errors = classifier_errors(record, saw)
    assert (errors.episodes, errors.false_successes, errors.missed) == (3, 2, 0)
    right = put_right(record, saw, server.url, server.token("operator"))
    assert [episode.success for episode in right.episodes] == [False, True, True, True]
    found = summary(server.database, EpisodeFilter(purpose=Purpose.EVALUATION), None)
    assert (found.all.episodes, found.all.autonomous_success.successes) == (3, 2)
    with server.client("operator") as operator:
        labels = operator.get(f"/api/episodes/{ids[0]}").json()["labels"]
    assert [label["outcome"] for label in labels] == ["success", "failure"], json.dumps(labels)


def test_what_nobody_looked_at_counts_for_nothing() -> None:
    missed, unseen = new_id(), new_id()
    record = Record(
        episodes=(
            line(missed, Purpose.TRAINING, Outcome.FAILURE),
            line(unseen, Purpose.TRAINING, Outcome.FAILURE),
        )
    )
    errors = classifier_errors(record, {missed: True})
    assert (errors.episodes, errors.false_successes, errors.missed) == (1, 0, 1)
