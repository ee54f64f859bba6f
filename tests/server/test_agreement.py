"""Marks on frames, and how well a success classifier agrees with people."""

from uuid import UUID

import httpx

from robot_rl.config import load_cell, load_task
from robot_rl.config.identity import data_identity
from robot_rl.schema.episode import Outcome
from robot_rl.server import agreement, labels
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.labelled import labelled_rows
from robot_rl.server.labels import NewLabel
from tests.server.conftest import RunningServer
from tests.server.recordings import PROVENANCE, ROBOT, TASK, Recording, post


def judged(recording: Recording, *, said: bool | None, success: bool, labeller: str) -> UUID:
    identity = data_identity(load_cell("simulation"), load_task(TASK))
    episode_id = recording.start(provenance=PROVENANCE.model_copy(update={"identity": identity}))
    for index in range(4):
        recording.step(episode_id, index, last=index == 3)
    outcome = Outcome.SUCCESS if success else Outcome.FAILURE
    recording.end(episode_id, 3, outcome=outcome, labeller=labeller, classifier_success=said)
    return episode_id


def mark(person: httpx.Client, episode_id: UUID, **said: object) -> str:
    body = {"first_index": 1, "last_index": 1, **said}
    answer = person.post(f"/api/episodes/{episode_id}/annotations", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["annotation_id"])


def test_a_classifier_that_differs_from_people_is_warned_of(server: RunningServer) -> None:
    recording = Recording()
    for _ in range(8):
        judged(recording, said=True, success=True, labeller="ada")
    judged(recording, said=False, success=True, labeller="ada")
    judged(recording, said=None, success=True, labeller="ada")
    own = judged(recording, said=True, success=True, labeller="classifier")
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    found = agreement.agreement(server.database, EpisodeFilter(task=TASK), None)
    assert (found.episodes, found.agreed, found.missed) == (9, 8, 1), "its own word is left out"
    assert found.warning == "", "nine say nothing"
    labels.relabel(server.database, own, NewLabel(outcome=Outcome.FAILURE), "eve")
    with server.client("viewer") as viewer:
        shown = viewer.get("/api/metrics", params={"task": TASK}).json()["classifier"]
        episode = viewer.get(f"/api/episodes/{own}").json()["episode"]
    assert (shown["episodes"], shown["agreed"], shown["false_successes"]) == (10, 8, 1)
    assert "agreed with people in 8 of the newest 10 episodes, fewer than 90%" in shown["warning"]
    assert (episode["classifier_success"], episode["outcome"]) == (True, "failure")
    newest = agreement.agreement(server.database, EpisodeFilter(task=TASK), 1)
    assert (newest.episodes, newest.agreed) == (1, 0)


def test_what_people_mark_on_frames_is_learned_from(server: RunningServer) -> None:
    recording = Recording()
    episode_id = judged(recording, said=True, success=True, labeller="ada")
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    with server.client("engineer", "ada") as person:
        first = mark(person, episode_id, shows_success=True)
        mark(person, episode_id, last_index=2, text="hesitates")
        mark(person, episode_id, first_index=2, last_index=3, shows_success=False)
        mark(person, episode_id, shows_success=False, replaces=first)
        gone = mark(person, episode_id, first_index=0, last_index=0, shows_success=True)
        mark(person, episode_id, first_index=0, shows_success=True, replaces=gone, withdrawn=True)
        detail = person.get(f"/api/episodes/{episode_id}").json()
    assert [row["shows_success"] for row in detail["annotations"]][:3] == [True, None, False]
    (row,) = labelled_rows(server.database, load_task(TASK), 10)
    assert row.marks == {1: False, 2: False, 3: False}
    with server.client("admin") as admin:
        entries = admin.get("/api/audit").json()["entries"]
    assert [entry["detail"] for entry in entries if entry["detail"]][-1] == {"shows_success": "yes"}
