"""Data of another identity: listed with its difference, admitted, and sent to the learner again."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from robot_rl.commands.clone import _from_database
from robot_rl.config import load_cell, load_task
from robot_rl.config.action import ActionSpace
from robot_rl.config.identity import data_identity
from robot_rl.config.task import Task
from robot_rl.errors import Conflict, NotFound
from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted, Purpose
from robot_rl.schema.feed import Excluded, FeedEvent, IdentityAdmitted, SegmentStored
from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.message import utc_now
from robot_rl.server import audit, feed
from robot_rl.server.database import Database
from robot_rl.server.identities import admit, listed, trained_on
from tests.server.conftest import RunningServer
from tests.server.recordings import PROVENANCE, ROBOT, TASK, Recording, post

PATIENCE_S = 20.0


def test_an_engineer_admits_data_of_another_identity(server: RunningServer) -> None:
    task, cell = load_task(TASK), load_cell("simulation")
    slow = task.model_copy(update={"step_s": 0.2})
    recording = Recording()
    episodes = []
    for other in (False, True, True):
        identity = data_identity(cell, slow if other else task)
        provenance = PROVENANCE.model_copy(update={"identity": identity})
        episode_id = recording.start(provenance=provenance)
        for index in range(4):
            recording.step(episode_id, index, last=index == 3)
        recording.end(episode_id, 3)
        episodes.append(episode_id)
    recording.start(provenance=provenance, purpose=Purpose.EVALUATION)
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    own, foreign = listed(server.database, task)
    assert (own.episodes, own.difference, own.trained_on) == (1, "", True)
    assert (foreign.episodes, foreign.difference) == (2, "step_s 0.2 → 0.1")
    assert foreign.trainable_steps == 6
    assert not foreign.trained_on
    assert trained_on(server.database, task) == {episodes[0]}
    before = feed.read(server.database, TASK, 0).cursor

    with pytest.raises(NotFound, match="prints those there are"):
        admit(server.database, task, "0" * 64, "eve")
    with pytest.raises(Conflict, match="does not differ"):
        admit(server.database, task, own.sha256, "eve")
    assert admit(server.database, task, foreign.sha256[:12], "eve").admitted_by == "eve"
    with pytest.raises(Conflict, match="is admitted already"):
        admit(server.database, task, foreign.sha256[:12], "eve")

    _, admitted = listed(server.database, task)
    assert (admitted.admitted_by, admitted.trained_on) == ("eve", True)
    assert trained_on(server.database, task) == set(episodes)
    first, *again = [item.event for item in feed.read(server.database, TASK, before).items]
    assert isinstance(first, IdentityAdmitted)
    assert first.identity_sha256 == foreign.sha256
    kinds = (EpisodeStarted, SegmentStored, EpisodeEnded)
    for kind in kinds:
        sent = [event.episode_id for event in again if isinstance(event, kind)]
        assert sent == episodes[1:], "in the order in which they were recorded"
    assert len(again) == 2 * len(kinds)
    (entry,) = [each for each in audit.newest(server.database, 10, None) if "admit" in each.action]
    assert (entry.actor, entry.detail["difference"]) == ("eve", "step_s 0.2 → 0.1")


def test_admitted_data_that_differs_no_more_is_told_so(server: RunningServer) -> None:
    """The task file went back to what it was when the data was recorded."""
    task = load_task(TASK)
    _slow_episode(server)
    (foreign,) = [row for row in listed(server.database, task) if row.difference]
    assert foreign.standing == "left out: step_s 0.2 → 0.1"
    admit(server.database, task, foreign.sha256, "eve")
    (admitted,) = listed(server.database, task)
    assert admitted.standing == "admitted by eve; differs: step_s 0.2 → 0.1"
    (back,) = listed(server.database, task.model_copy(update={"step_s": 0.2}))
    assert back.standing == "trained on; admitted by eve when it differed from the task file"


def test_what_is_stored_while_data_is_admitted_reaches_the_learner(server: RunningServer) -> None:
    task, slow_episode = load_task(TASK), _slow_episode(server)
    (foreign,) = [row for row in listed(server.database, task) if row.difference]
    before = feed.read(server.database, TASK, 0).cursor
    meanwhile = Excluded(episode_id=slow_episode, excluded=True, author="ada", t_utc=utc_now())

    with ThreadPoolExecutor(1) as pool:
        with server.database.transaction() as other:
            feed.append(other, TASK, [meanwhile])
            admitting = pool.submit(admit, server.database, task, foreign.sha256, "eve")
            _wait_for_blocked(server.database)
        admitting.result(PATIENCE_S)

    first, *rest = [item.event for item in feed.read(server.database, TASK, before).items]
    assert first == meanwhile, "its number is smaller, so the learner leaves it out"
    admission, *again = rest
    assert isinstance(admission, IdentityAdmitted)
    assert _kinds(again) == ["episode_started", "segment_stored", "episode_ended", "excluded"]
    assert again[-1] == meanwhile


def test_the_first_in_the_feed_is_the_measure_whenever_it_was_recorded(
    server: RunningServer,
) -> None:
    """As for the learner; a robot that was away sends what it recorded before."""
    task, cell = load_task(TASK), load_cell("simulation")
    own = PROVENANCE.model_copy(update={"identity": data_identity(cell, task)})
    facts = own.identity.facts | {"arm": "another"} if own.identity else {}
    other = PROVENANCE.model_copy(update={"identity": DataIdentity(facts=facts)})
    now, recording = utc_now(), Recording()
    first = recording.start(provenance=own, t_utc=now)
    recording.end(first, 0)
    recording.end(recording.start(provenance=other, t_utc=now - timedelta(hours=1)), 0)
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    assert trained_on(server.database, task) == {first}
    assert [row.difference == "" for row in listed(server.database, task)] == [True, False]


def test_what_does_not_fit_takes_no_place_among_the_demonstrations_to_clone(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, recording = load_task(TASK), Recording()
    own = data_identity(load_cell("simulation"), task)
    slow = data_identity(load_cell("simulation"), task.model_copy(update={"step_s": 0.2}))
    episodes = []
    for identity in (own, slow, slow):
        provenance = PROVENANCE.model_copy(update={"identity": identity})
        episodes.append(recording.start(provenance=provenance, purpose=Purpose.DEMONSTRATION))
        recording.step(episodes[-1], 0)
        recording.step(episodes[-1], 1, last=True)
        recording.end(episodes[-1], 1)
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    monkeypatch.setattr("robot_rl.commands.database.opened", lambda _: nullcontext(server.database))
    (found,) = _from_database(server.settings.data, task, 2)
    assert found[0].step.episode_id == episodes[0]


def test_actions_with_other_columns_cannot_be_admitted(server: RunningServer) -> None:
    task, cell = load_task(TASK), load_cell("simulation")
    arms = ActionSpace(arms=("left", "right"), translation_m=(0.025, 0.025, 0.025))
    foreign = data_identity(cell, task.model_copy(update={"action": arms}))
    recording = Recording()
    recording.end(
        recording.start(provenance=PROVENANCE.model_copy(update={"identity": foreign})), 0
    )
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    before = feed.read(server.database, TASK, 0).cursor
    with pytest.raises(Conflict, match=r"its actions have the columns left.* keep it for a task"):
        admit(server.database, task, foreign.sha256, "eve")
    (row,) = listed(server.database, task)
    assert not row.trained_on
    assert feed.read(server.database, TASK, before).items == ()


def _slow_episode(server: RunningServer) -> UUID:
    """A stored episode whose step is not the task's."""
    task: Task = load_task(TASK).model_copy(update={"step_s": 0.2})
    identity = data_identity(load_cell("simulation"), task)
    recording = Recording()
    episode_id = recording.start(provenance=PROVENANCE.model_copy(update={"identity": identity}))
    for index in range(2):
        recording.step(episode_id, index, last=index == 1)
    recording.end(episode_id, 1)
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    return episode_id


def _wait_for_blocked(database: Database) -> None:
    """Until a connection waits for what another one has locked."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with database.engine.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return
        time.sleep(0.01)
    raise AssertionError("nobody waited for the feed")


def _kinds(events: list[FeedEvent]) -> list[str]:
    return [event.kind for event in events]
