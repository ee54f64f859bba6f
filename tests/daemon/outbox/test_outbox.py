"""The outbox: nothing that was committed is lost, an episode that was cut off is closed."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.power_cut import TORN_BYTES, cut_copy, log_bytes
from benchmarks.recording import JPEG, recorded, started, write_episode
from robot_rl.daemon.outbox import file as outbox_file
from robot_rl.daemon.outbox import outbox
from robot_rl.daemon.outbox.file import UnreadableRow
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted, Outcome
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep
from safety.faults import FaultCode
from safety.vocabulary import Source


def test_what_is_appended_comes_out_in_order_and_whole(tmp_path: Path) -> None:
    with OutboxWriter(tmp_path / "outbox.sqlite", linger_s=0.01) as writer:
        write_episode(writer, 5)
        assert writer.flush()
        assert writer.accepting
        reader = OutboxReader(tmp_path / "outbox.sqlite")
        pending = reader.pending(0, 64)
        assert pending is not None
        assert pending.epoch == reader.boot_epoch
        assert [pending.sequence(row.number) for row in pending.rows] == list(range(1, 9))
        contents = [row.content for row in pending.rows]
        assert isinstance(contents[0], EpisodeStarted)
        assert isinstance(contents[-1], EpisodeEnded)
        step = contents[3]
        assert isinstance(step, RecordedStep)
        assert step.step.index == 2
        assert step.images == {"front": JPEG, "wrist": JPEG}
        assert reader.counts().pending_training == 5  # the last record has no action
        assert reader.delete_through(pending.rows[3].number) == 3
        left = reader.pending(0, 2)
        assert left is not None
        assert [left.sequence(row.number) for row in left.rows] == [5, 6]
        reader.close()


def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 3)
        writer.flush()
        reader = OutboxReader(path)
        first_epoch, last = reader.boot_epoch, reader.counts().last
        reader.delete_through(last)
        assert reader.counts().pending == 0
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 1)
        writer.flush()
        pending = reader.pending(0, 64)
    assert pending is not None
    assert pending.rows[0].number == last + 1
    assert pending.epoch != first_epoch
    assert pending.sequence(last + 1) == 1
    reader.close()


def test_an_epoch_is_sent_to_its_end_before_the_next_begins(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    for _ in range(2):
        with OutboxWriter(path, linger_s=0.0) as writer:
            write_episode(writer, 3)
    reader = OutboxReader(path)
    first = reader.pending(0, 64)
    assert first is not None
    second = reader.pending(first.rows[-1].number, 64)
    assert second is not None
    assert (len(first.rows), len(second.rows)) == (6, 6)
    assert first.epoch != second.epoch
    assert second.sequence(second.rows[0].number) == 1
    reader.close()


def test_rows_set_aside_are_kept_and_leave_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 3)
    reader = OutboxReader(path)
    reader.set_aside(1, 2, "the server will never take it")
    pending = reader.pending(0, 64)
    assert pending is not None
    assert [pending.sequence(row.number) for row in pending.rows] == [1, 2, 3, 4]
    assert (reader.counts().set_aside, reader.counts().pending) == (2, 4)
    reader.close()


def test_an_episode_that_was_cut_off_is_closed_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    episode = new_id()
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 2)
        writer.append_event(started(episode))
        for index in range(4):
            writer.append_step(recorded(episode, index))
    reader = OutboxReader(path)
    reader.delete_through(reader.counts().last)  # even when the server has its start already
    with OutboxWriter(path, linger_s=0.0):
        pending = reader.pending(0, 64)
    assert pending is not None
    (event,) = [row.content for row in pending.rows]
    assert isinstance(event, EpisodeEnded)
    assert (event.episode_id, event.outcome, event.complete) == (episode, Outcome.ABORTED, False)
    assert (event.steps, event.human_steps, event.t_robot_ns) == (4, 2, 300_000_000)
    with OutboxWriter(path, linger_s=0.0):
        assert reader.counts().last == pending.rows[-1].number  # closed once
    reader.close()


def test_a_killed_writer_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from robot_rl.daemon.outbox.outbox import OutboxWriter\n"
        "from robot_rl.schema.message import new_id\n"
        "from benchmarks.recording import recorded, started\n"
        "writer = OutboxWriter(Path(sys.argv[1]), linger_s=0.02)\n"
        "episode = new_id()\n"
        "writer.append_event(started(episode))\n"
        "for index in range(100000):\n"
        "    writer.append_step(recorded(episode, index))\n"
        "    if index % 20 == 19:\n"
        "        assert writer.flush()\n"
        "        print(index + 1, flush=True)\n"
        "    time.sleep(0.0005)\n"
    )
    folder = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path), folder], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    flushed = 0
    while flushed < 100:
        line = process.stdout.readline()
        assert line, f"the writer ended by itself: exit code {process.wait(10)}"
        flushed = int(line)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().splitlines()
    process.wait(10)
    process.stdout.close()
    flushed = int(rest[-1]) if rest else flushed
    with OutboxWriter(path):
        pass
    reader = OutboxReader(path)
    steps: list[int] = []
    after = 0
    last: object = None
    while (pending := reader.pending(after, 64)) is not None:
        for row in pending.rows:
            if isinstance(row.content, RecordedStep):
                steps.append(row.content.step.index)
            last = row.content
        after = pending.rows[-1].number
    assert len(steps) >= flushed
    assert steps == list(range(len(steps)))
    assert isinstance(last, EpisodeEnded)
    assert not last.complete
    reader.close()


@pytest.mark.injects(FaultCode.POWER_CUT)
def test_a_power_cut_leaves_every_earlier_episode_readable(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """A power cut is a copy of the files whose newest part never reached the disk."""
    path = tmp_path / "outbox.sqlite"
    writer = OutboxWriter(path, linger_s=0.0)
    earlier = write_episode(writer, 10)
    assert writer.flush()
    safe_bytes = log_bytes(path)
    running = new_id()
    writer.append_event(started(running))
    for index in range(30):
        writer.append_step(recorded(running, index, jpeg=bytes(rng.bytes(3000))))
        if index % 5 == 0:
            assert writer.flush()
    assert writer.flush()
    whole_bytes = log_bytes(path)
    for attempt in range(8):
        cut = int(rng.integers(safe_bytes, whole_bytes))
        print(f"attempt {attempt}: {cut} of {whole_bytes} bytes reached the disk")
        torn_bytes = int(rng.integers(0, TORN_BYTES))
        copy = cut_copy(path, tmp_path / f"copy{attempt}", cut, torn_bytes)
        with OutboxWriter(copy, linger_s=0.0) as after_the_cut:
            assert after_the_cut.accepting
        reader = OutboxReader(copy)
        pending = reader.pending(0, 1000)
        assert pending is not None
        steps = [
            row.content.step.index
            for row in pending.rows
            if isinstance(row.content, RecordedStep) and row.content.step.episode_id == earlier
        ]
        assert steps == list(range(11))
        reader.close()
    writer.close()


def test_a_damaged_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(b"not a database" * 500)
    with OutboxWriter(path, linger_s=0.0) as writer:
        assert writer.accepting
        write_episode(writer, 1)
    kept = list(tmp_path.glob("outbox.sqlite.damaged-*"))
    assert len(kept) == 1
    assert kept[0].read_bytes().startswith(b"not a database")


@pytest.mark.injects(FaultCode.DISK_FULL)
def test_a_full_disk_refuses_episodes_and_raises_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, however much room others make or take meanwhile."""
    path, free = tmp_path / "outbox.sqlite", iter(range(10**9, 0, -(2**21)))
    monkeypatch.setattr(outbox, "free_bytes", lambda _folder: next(free))
    with OutboxWriter(path, linger_s=0.0, min_free_bytes=2**62) as writer:
        assert not writer.accepting
        assert "nearly full" in writer.state.problem
        write_episode(writer, 1)  # what runs is still kept
        assert writer.flush()
        write_episode(writer, 2)
        assert writer.flush()
    assert capfd.readouterr().err.count("nearly full") == 1


@pytest.mark.injects(FaultCode.DISK_FULL)
def test_a_disk_that_fails_keeps_the_queue_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_file, "BUSY_S", 0.2)
    path = tmp_path / "outbox.sqlite"
    writer = OutboxWriter(path, linger_s=0.0, queue_rows=8)
    episode = new_id()
    writer.append_event(started(episode))
    assert writer.flush()
    # Another program that holds the write lock is the one disk fault that a test can take back.
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept = [writer.append_step(recorded(episode, index)) for index in range(20)]
    assert kept == [True] * 8 + [False] * 12
    assert writer.damaged(episode)
    assert writer.state.dropped == 12
    deadline = time.monotonic() + 20.0
    while writer.accepting and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "locked" in writer.state.problem
    other.execute("ROLLBACK")
    other.close()
    assert writer.flush(20.0)
    reader = OutboxReader(path)
    pending = reader.pending(0, 64)
    assert pending is not None
    indices = [r.content.step.index for r in pending.rows if isinstance(r.content, RecordedStep)]
    assert indices == list(range(8))  # once each, though the commit was tried again
    reader.close()
    assert writer.close()


def test_a_disk_that_is_nearly_full_and_then_fails_is_told_of_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every second it finds the one, then the other."""
    monkeypatch.setattr(outbox_file, "BUSY_S", 0.05)
    monkeypatch.setattr(outbox, "_RETRY_S", 0.05)
    path, tries = tmp_path / "outbox.sqlite", iter(range(10**6))
    last = [0]

    def no_room(_folder: Path) -> int:
        last[0] = next(tries)
        return 0

    monkeypatch.setattr(outbox, "free_bytes", no_room)
    with OutboxWriter(path, linger_s=0.0, min_free_bytes=2**62) as writer:
        episode = new_id()
        writer.append_event(started(episode))
        assert writer.flush()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        begin = last[0]
        writer.append_step(recorded(episode, 0))
        deadline = time.monotonic() + 20.0
        while last[0] < begin + 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        other.execute("ROLLBACK")
        other.close()
        assert writer.flush(20.0)
    told = capfd.readouterr().err
    assert told.count("cannot be kept") == told.count("nearly full") == 1, told


def test_an_error_that_is_none_of_the_disks_is_told_and_nothing_piles_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("robot_rl.daemon.outbox.outbox.insert_step", breaks)
    episode, later = new_id(), new_id()
    writer = OutboxWriter(tmp_path / "outbox.sqlite", linger_s=0.0)
    assert writer.append_step(recorded(episode, 0))
    assert not writer.flush(5.0)
    assert not writer.accepting
    assert "a defect" in writer.state.problem
    assert not writer.append_step(recorded(later, 0))
    assert writer.damaged(episode)
    assert writer.damaged(later)
    assert (writer.state.queued, writer.state.dropped) == (0, 2)
    assert not writer.close()
    assert "RuntimeError" in capfd.readouterr().err


def test_a_row_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE rows SET body = '{}' WHERE number = 2")
    other.close()
    reader = OutboxReader(path)
    pending = reader.pending(0, 64)
    assert pending is not None
    assert len(pending.rows) == 1
    with pytest.raises(UnreadableRow, match="row 2"):
        reader.pending(1, 64)
    reader.close()


def test_the_robot_counts_as_trainable_what_the_learner_will_train_on(tmp_path: Path) -> None:
    """What the task declares as its observation: every camera's picture, or the arm's state."""
    by_pictures, by_state = new_id(), new_id()
    whole = recorded(by_pictures, 0)
    half = replace(recorded(by_pictures, 1), images={"wrist": b"jpeg"})
    moved_back = recorded(by_pictures, 2)
    moved_back = replace(
        moved_back, step=moved_back.step.model_copy(update={"source": Source.RESET})
    )
    blind = replace(recorded(by_state, 0), images={})
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        writer.append_event(started(by_pictures))
        for record in (whole, half, moved_back):
            writer.append_step(record)
        writer.append_event(started(by_state).model_copy(update={"cameras": ()}))
        writer.append_step(blind)
        assert writer.flush()
        reader = OutboxReader(path)
        pending = reader.pending(0, 64)
        assert pending is not None
        reader.close()
    trainable = [
        row.content.step.episode_id
        for row in pending.rows
        if isinstance(row.content, RecordedStep) and row.training
    ]
    assert trainable == [by_pictures, by_state]


def test_an_outbox_from_before_cameras_were_kept_opens_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 2)
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE open_episodes DROP COLUMN cameras")
    connection.execute("PRAGMA user_version=1")
    connection.close()
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 3)
        assert writer.flush()
    reader = OutboxReader(path)
    assert reader.counts().pending_training == 2 + 3
    reader.close()


def test_a_damaged_word_of_what_was_acknowledged_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    server = new_id()
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 2)
        assert writer.flush()
    reader = OutboxReader(path)
    reader.delete_through(reader.counts().last, server)
    (known,) = reader.acknowledged()
    assert (known.server, known.last) == (server, 5)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE acknowledged SET epoch = CAST(x'ff0041' AS TEXT)")
    connection.commit()
    connection.close()
    assert reader.acknowledged() == []
    reader.close()
