"""A damaged outbox: what can be read is sent, the rest set aside for an engineer to deal with."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.recording import ended, recorded, started, write_episode
from robot_rl.cli import app
from robot_rl.daemon.data_folder import take
from robot_rl.daemon.outbox.aside import NotSetAside, images_of, send_again, set_aside_rows
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.errors import PlainError
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep
from tests.daemon.link.test_uplink import IngestServer, drain

PAGE_BYTES = 4096
STEPS = 40


def write_damaged(path: Path, *, crashed: bool) -> set[int]:
    """An outbox of one episode, two pages of which are overwritten. The numbers of its rows."""
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, STEPS)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE facts SET value = ? WHERE name = 'clean'", (str(int(not crashed)),))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    for index in (10, 25):
        page = data.index(b'"index":%d,' % index) // PAGE_BYTES
        data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    path.write_bytes(data)
    return set(range(1, STEPS + 4))


def lost_of(path: Path) -> set[int]:
    """The rows that nobody can read."""
    lost: set[int] = set()
    for row in set_aside_rows(path):
        assert row.kind == "lost"
        span = json.loads(row.body)
        lost |= set(range(span["first"], span["last"] + 1))
        assert (path.parent / span["file"]).is_file()
    return lost


def test_after_a_crash_what_can_be_read_is_sent_and_the_rest_is_set_aside(tmp_path: Path) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    rows = write_damaged(path, crashed=True)
    with OutboxWriter(path, linger_s=0.0) as writer:
        assert writer.accepting, writer.state
        later = write_episode(writer, 3)
    uplink, said = drain(path, server)
    lost = lost_of(path)
    assert {12, 27} <= lost, "steps 10 and 25, behind the start"
    assert len(lost) < 12
    stored = [index for episode, index in server.steps if episode != later]
    assert stored == [number - 2 for number in sorted(rows - lost) if 2 <= number < STEPS + 3]
    assert [index for episode, index in server.steps if episode == later] == [0, 1, 2, 3]
    assert uplink.state.counts.set_aside == len(set_aside_rows(path)) > 0, said


def test_damage_that_shows_only_while_it_is_read_blocks_nothing(tmp_path: Path) -> None:
    """It was closed cleanly, so nobody looked."""
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    rows = write_damaged(path, crashed=False)
    with OutboxWriter(path, linger_s=0.0) as writer:
        later = write_episode(writer, 3)
        assert writer.flush()
        _, said = drain(path, server, seconds=300.0)
        still = write_episode(writer, 2)
        assert writer.flush()
    drain(path, server, seconds=300.0)
    lost = lost_of(path)
    assert {12, 27} <= lost
    wanted = [number - 2 for number in sorted(rows - lost) if 2 <= number < STEPS + 3]
    assert [i for episode, i in server.steps if episode not in (later, still)] == wanted
    assert [i for episode, i in server.steps if episode == still] == [0, 1, 2]
    assert any("cannot be read" in line for line in said)


def test_a_file_of_which_nothing_can_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"not a database" * 500)
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 1)
    (row,) = set_aside_rows(path)
    assert "nothing of it can be read" in row.reason


@contextmanager
def refused(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """An outbox of which the server refused the note of an ending, and the ending's number."""
    path = tmp_path / "outbox.sqlite"
    episode = new_id()
    with OutboxWriter(path, linger_s=0.0) as writer:
        writer.append_event(started(episode))
        writer.append_step(recorded(episode, 0))
        writer.append_event(ended(episode, 0).model_copy(update={"note": "x" * 5000}))
    drain(path, IngestServer())
    (row,) = set_aside_rows(path)
    assert row.episode_id == str(episode)
    yield path, row.number


def run(path: Path, *arguments: str) -> str:
    ran = CliRunner().invoke(
        app, ["outbox", *arguments, "--data", str(path.parent)], catch_exceptions=False
    )
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_an_engineer_mends_what_was_refused_and_sends_it_again(tmp_path: Path) -> None:
    with refused(tmp_path) as (path, number):
        assert "at most 4000" in run(path, "list")
        assert json.loads(run(path, "list", "--json"))["set_aside"][0]["number"] == number
        mended = json.loads(run(path, "show", str(number), "--out", str(tmp_path / "mend")))
        assert (tmp_path / "mend" / f"{number}.json").is_file()
        with pytest.raises(NotSetAside, match=r"is not sent, because .*at most 4000"):
            run(path, "send-again", str(number))
        mended["note"] = "it slipped"
        (tmp_path / "body.json").write_text(json.dumps(mended))
        run(path, "send-again", str(number), "--body", str(tmp_path / "body.json"))
        server = IngestServer()
        drain(path, server)
        (event,) = server.events
        assert getattr(event, "note", None) == "it slipped"
        assert set_aside_rows(path) == []


def test_what_is_dropped_is_gone_and_a_running_daemon_is_left_alone(tmp_path: Path) -> None:
    with refused(tmp_path) as (path, number):
        with pytest.raises(NotSetAside, match="row 99 is not set aside"):
            run(path, "drop", "99")
        lock = take(tmp_path)
        with pytest.raises(PlainError, match="another daemon uses the data folder"):
            run(path, "drop", str(number))
        os.close(lock)
        run(path, "drop", str(number))
        assert set_aside_rows(path) == []


def test_steps_are_sent_again_with_their_pictures(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = write_episode(writer, 2)
    reader = OutboxReader(path)
    reader.set_aside(2, 4, "the server had a defect")
    assert len(images_of(path, 2)["front"]) > 100
    send_again(path, [2, 3, 4])
    pending = reader.pending(5, 10)
    assert pending is not None
    steps = [r.content for r in pending.rows if isinstance(r.content, RecordedStep)]
    assert [(s.step.episode_id, s.step.index) for s in steps] == [(episode, i) for i in range(3)]
    assert steps[0].images == recorded(episode, 0).images
    reader.close()
