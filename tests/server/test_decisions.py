"""What people say a takeover is for training: stored once, in order, and told to the learner."""

from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from robot_rl.schema.episode import Purpose
from robot_rl.schema.feed import FeedPage, InterventionDecided
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.message import new_id
from tests.server.conftest import RunningServer
from tests.server.recordings import ROBOT, TASK, Recording, post


@pytest.fixture
def person(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client("operator", "ada") as client:
        yield client


def record(server: RunningServer, recording: Recording, first: int = 1) -> None:
    with server.client("robot", ROBOT) as robot:
        answer = post(robot, recording.batch(first))
        assert answer.status_code == 200, answer.text


def taken_over(recording: Recording, purpose: Purpose = Purpose.TRAINING) -> tuple[UUID, UUID]:
    """An episode with a takeover in which nobody pressed C; not yet sent."""
    episode_id = recording.start(purpose=purpose)
    recording.step(episode_id, 0)
    intervention_id = recording.intervention(episode_id, 0, 0, correction_steps=0)
    return episode_id, intervention_id


def decide(
    person: httpx.Client,
    episode_id: UUID,
    intervention_id: UUID,
    use: InterventionUse,
    decision_id: UUID | None = None,
    *,
    by_default: bool = False,
) -> httpx.Response:
    return person.post(
        f"/api/episodes/{episode_id}/interventions/{intervention_id}/decisions",
        json={
            "decision_id": str(decision_id or new_id()),
            "use": use,
            "by_default": by_default,
        },
    )


def fed(server: RunningServer) -> list[tuple[str, str | None]]:
    """Kind of every feed item about an intervention, and what was decided."""
    with server.client("learner") as learner:
        answer = learner.get("/api/feed", params={"task": TASK, "after": 0})
    events = [item.event for item in FeedPage.model_validate_json(answer.content).items]
    return [
        (event.kind, event.use if isinstance(event, InterventionDecided) else None)
        for event in events
        if event.kind.startswith("intervention")
    ]


def test_a_decision_reaches_the_learner_and_keeps_its_history(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    episode_id, intervention_id = taken_over(recording)
    record(server, recording)
    before = person.get(f"/api/episodes/{episode_id}").json()["interventions"][0]
    assert (before["use"], before["decisions"]) == ("recovery", [])
    by_default = decide(
        person, episode_id, intervention_id, InterventionUse.CORRECTION, by_default=True
    )
    assert by_default.status_code == 201
    decide(person, episode_id, intervention_id, InterventionUse.DISCARD).raise_for_status()
    shown = person.get(f"/api/episodes/{episode_id}").json()["interventions"][0]
    assert shown["use"] == "discard"
    assert [(row["use"], row["by_default"], row["author"]) for row in shown["decisions"]] == [
        ("correction", True, "ada"),
        ("discard", False, "ada"),
    ]
    assert fed(server) == [
        ("intervention_ended", None),
        ("intervention_decided", "correction"),
        ("intervention_decided", "discard"),
    ]


def test_a_person_may_be_faster_than_the_robots_record(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    episode_id, intervention_id = taken_over(recording)
    for use in (InterventionUse.DISCARD, InterventionUse.CORRECTION):
        assert decide(person, episode_id, intervention_id, use).status_code == 201
    assert fed(server) == []
    record(server, recording)
    assert fed(server) == [("intervention_ended", None), ("intervention_decided", "correction")]


def test_a_decision_that_is_sent_again_is_stored_once(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    episode_id, intervention_id = taken_over(recording)
    record(server, recording)
    decision_id = new_id()
    answers = [
        decide(person, episode_id, intervention_id, InterventionUse.DISCARD, decision_id)
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert fed(server) == [("intervention_ended", None), ("intervention_decided", "discard")]
    other = decide(person, episode_id, intervention_id, InterventionUse.RECOVERY, decision_id)
    assert other.status_code == 422
    assert "under a new id" in other.json()["detail"]


def test_what_does_not_fit_is_refused_in_a_sentence(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    _, intervention_id = taken_over(recording)
    shown, in_evaluation = taken_over(recording, Purpose.EVALUATION)
    record(server, recording)
    wrong = decide(person, shown, intervention_id, InterventionUse.CORRECTION)
    assert (wrong.status_code, "belongs to episode" in wrong.json()["detail"]) == (422, True)
    useless = decide(person, shown, in_evaluation, InterventionUse.CORRECTION)
    assert (useless.status_code, "Exclude the whole" in useless.json()["detail"]) == (422, True)
    with server.client("robot", ROBOT) as robot:
        assert decide(robot, shown, in_evaluation, InterventionUse.DISCARD).status_code == 403


def test_what_can_never_count_is_refused_also_before_the_robots_record(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    demonstration = recording.start(purpose=Purpose.DEMONSTRATION)
    over = recording.episode(2, human=(1,))
    running = recording.start()
    record(server, recording)
    useless = decide(person, demonstration, new_id(), InterventionUse.DISCARD)
    assert (useless.status_code, "Exclude the whole" in useless.json()["detail"]) == (422, True)
    late = decide(person, over, new_id(), InterventionUse.DISCARD)
    assert (late.status_code, "has ended without" in late.json()["detail"]) == (422, True)
    for may_come in (running, new_id()):
        assert decide(person, may_come, new_id(), InterventionUse.DISCARD).status_code == 201
