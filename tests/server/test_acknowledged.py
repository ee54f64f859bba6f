"""A server that was restored: who it is, up to where it has a robot's recording, what is lost."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from robot_rl.schema.ingest import CursorsAsked, ServerCursors
from robot_rl.schema.message import new_id
from robot_rl.server import acknowledged, backup, integrity
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database
from tests.server.conftest import RunningServer
from tests.server.recordings import Recording, post

pytestmark = pytest.mark.slow  # starts Postgres


@pytest.fixture
def recording() -> Recording:
    """One episode of 20 steps: its start, 21 records, its ending."""
    made = Recording()
    made.episode(20)
    return made


def asked(robot: httpx.Client, recording: Recording, *epochs: UUID) -> ServerCursors:
    body = {"robot": recording.robot, "boot_epochs": [str(epoch) for epoch in epochs]}
    answer = robot.post("/api/ingest/cursors", json=body)
    assert answer.status_code == 200, answer.text
    return ServerCursors.model_validate_json(answer.content)


def test_a_robot_is_told_up_to_where_each_epoch_is_stored(
    server: RunningServer, recording: Recording
) -> None:
    with server.client("robot", recording.robot) as robot:
        assert post(robot, recording.batch(1, 9)).status_code == 200
        found = asked(robot, recording, recording.boot_epoch, new_id())
        assert [(ack.boot_epoch, ack.last_sequence) for ack in found.cursors] == [
            (recording.boot_epoch, 9)
        ]
    with server.client("robot", "another") as robot:
        body = {"robot": recording.robot, "boot_epochs": []}
        assert robot.post("/api/ingest/cursors", json=body).status_code == 403


def test_rows_ahead_of_their_turn_are_stored_and_move_no_cursor(
    server: RunningServer, recording: Recording
) -> None:
    """And when their turn comes, they are known."""
    with server.client("robot", recording.robot) as robot:
        assert post(robot, recording.batch(1, 2)).status_code == 200
        rows = (3, 12), (13, len(recording.rows))
        some, later = (recording.batch(first, last) for first, last in rows)
        ahead, later_ahead = (
            replace(each, header=each.header.model_copy(update={"ahead": True}))
            for each in (some, later)
        )
        assert post(robot, later_ahead).status_code == 422  # the steps before are not there
        assert post(robot, ahead).json()["last_sequence"] == 2
        assert post(robot, later_ahead).json()["last_sequence"] == 2
        assert post(robot, some).json()["last_sequence"] == 12
        assert post(robot, later).json()["last_sequence"] == len(recording.rows)
    with server.database.engine.connect() as connection:
        row = connection.execute(text("SELECT stored_steps, steps, complete FROM episodes")).one()
        labels = connection.execute(text("SELECT count(*) FROM labels")).scalar_one()
    assert (tuple(row), labels) == ((21, 20, True), 1)


def test_lost_rows_are_noted_once_and_gone_on_behind(
    server: RunningServer, recording: Recording
) -> None:
    with server.client("robot", recording.robot) as robot:
        assert post(robot, recording.batch(1, 5)).status_code == 200
        body = {
            "robot": recording.robot, "boot_epoch": str(recording.boot_epoch),
            "last_sequence": 15, "reason": "the robot keeps them no more",
        }  # fmt: skip
        for _ in range(2):
            assert robot.post("/api/ingest/lost", json=body).json()["last_sequence"] == 15
        last = len(recording.rows)
        refused = post(robot, recording.batch(16, last - 1))
        assert refused.status_code == 422, refused.text  # steps without those before
        body |= {"last_sequence": last - 1, "reason": refused.json()["detail"]}
        assert robot.post("/api/ingest/lost", json=body).status_code == 200
        assert post(robot, recording.batch(last, last)).status_code == 200
    (lost,) = acknowledged.lost_rows(server.database)
    assert (lost.robot, lost.rows) == (recording.robot, last - 1 - 5)
    found = integrity.look(server.database, FolderBlobs(server.settings.blob_folder), read=True)
    assert found.sound
    assert found.lost == (lost,)
    with server.database.engine.connect() as connection:
        row = connection.execute(text("SELECT stored_steps, complete FROM episodes")).one()
    assert tuple(row) == (4, False)


def test_a_restored_server_is_the_same_one_in_another_generation(
    database: Database, empty: Database, blobs: FolderBlobs, tmp_path: Path
) -> None:
    def look(at: Database) -> ServerCursors:
        return acknowledged.cursors(at, CursorsAsked(robot="panda_1", boot_epochs=()))

    backup.make(database, blobs, tmp_path / "backup", seen=lambda: None)
    backup.restore(
        empty, FolderBlobs(tmp_path / "restored"), tmp_path / "backup", seen=lambda: None
    )
    before, after = look(database), look(empty)
    assert after.server_id == before.server_id
    assert after.generation != before.generation
