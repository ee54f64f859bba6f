"""Data of another identity: listed with its difference, admitted, and sent to the learner again."""

import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.config.identity import data_identity
from robot_rl.errors import Conflict, NotFound
from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted, Purpose
from robot_rl.schema.feed import IdentityAdmitted, SegmentStored
from robot_rl.server import audit, feed
from robot_rl.server.identities import admit, listed, trained_on
from tests.server.conftest import RunningServer
from tests.server.recordings import PROVENANCE, ROBOT, TASK, Recording, post


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
