"""Which episodes a success classifier may learn from, and by whose word."""

from robot_rl.config import load_cell, load_task
from robot_rl.config.identity import data_identity
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.server import labels
from robot_rl.server.labelled import labelled_rows
from robot_rl.server.labels import NewExclusion, NewLabel
from tests.server.conftest import RunningServer
from tests.server.recordings import PROVENANCE, ROBOT, TASK, Recording, post


def test_a_classifier_does_not_learn_from_its_own_word(server: RunningServer) -> None:
    task = load_task(TASK)
    identity = data_identity(load_cell("simulation"), task)
    provenance = PROVENANCE.model_copy(update={"identity": identity})
    recording = Recording()
    people, own, corrected, out = [recording.start(provenance=provenance) for _ in range(4)]
    for episode_id in (people, own, corrected, out):
        recording.step(episode_id, 0)
        recording.step(episode_id, 1, last=True)
        labeller = "ada" if episode_id == people else "classifier"
        recording.end(episode_id, 1, labeller=labeller)
    recording.episode(1, provenance=provenance, purpose=Purpose.EVALUATION)
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    database = server.database
    labels.relabel(database, corrected, NewLabel(outcome=Outcome.FAILURE), "eve")
    labels.exclude(database, out, NewExclusion(excluded=True), "eve")
    found = labelled_rows(database, task, 10)
    assert [(row.episode_id, row.outcome) for row in found] == [
        (people, Outcome.SUCCESS),
        (own, None),
        (corrected, Outcome.FAILURE),
    ]
    assert [row.episode_id for row in labelled_rows(database, task, 1)] == [corrected]
