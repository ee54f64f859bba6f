"""The disk is full while an episode runs (fault 23), or loses its newest part (24)."""

from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.power_cut import cut_copy, log_bytes
from benchmarks.recording import recorded, started, write_episode
from benchmarks.small_disk import fill
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep
from safety.faults import FaultCode

ROOM = 100_000


def run_out(folder: Path, *, min_free_bytes: int, picture: bytes) -> tuple[UUID, Path]:
    """An episode runs on a disk that fills up; the writer is asked whether another may begin."""
    writer = OutboxWriter(
        folder / "outbox.sqlite", linger_s=0.0, min_free_bytes=min_free_bytes, queue_rows=30
    )
    try:
        earlier = write_episode(writer, 5)
        episode = new_id()
        writer.append_event(started(episode))
        writer.append_step(recorded(episode, 0, jpeg=picture))
        assert writer.flush()
        assert writer.accepting
        rest = fill(folder)
        kept = [writer.append_step(recorded(episode, k, jpeg=picture)) for k in range(1, 80)]
        assert not writer.flush(3.5), "what does not fit is not said to be on the disk"
        assert not writer.accepting, "another episode may begin"
        assert not all(kept), "the queue has an end"
        assert writer.damaged(episode), "the running episode is not marked"
        assert not writer.damaged(earlier)
        assert writer.state.problem
        rest.unlink()
        assert writer.flush(20.0), "with room again it goes on"
        return earlier, folder / "outbox.sqlite"
    finally:
        writer.close()


@pytest.mark.injects(FaultCode.DISK_FULL)
def test_a_full_disk_marks_the_running_episode_and_lets_no_other_begin(small_disk: Path) -> None:
    earlier, path = run_out(small_disk, min_free_bytes=ROOM, picture=bytes(2_000))
    assert steps_of(path, earlier) == list(range(6))


@pytest.mark.unprotected(FaultCode.DISK_FULL)
def test_control_a_writer_that_looks_at_no_error_lets_another_begin(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OutboxWriter, "accepting", property(lambda _: True))
    with pytest.raises(AssertionError, match="another episode may begin"):
        run_out(small_disk, min_free_bytes=0, picture=bytes(2_000))


def steps_of(path: Path, episode: UUID) -> list[int]:
    """Indices of an episode's steps that the file has after the next start."""
    with OutboxWriter(path, linger_s=0.0):
        reader = OutboxReader(path)
        pending = reader.pending(0, 1000)
        reader.close()
    rows = () if pending is None else pending.rows
    contents = [row.content for row in rows]
    return [
        content.step.index
        for content in contents
        if isinstance(content, RecordedStep) and content.step.episode_id == episode
    ]


@pytest.mark.unprotected(FaultCode.POWER_CUT)
def test_control_a_part_that_had_reached_the_disk_is_missed(tmp_path: Path) -> None:
    """What the outbox says is on the disk is what its test looks for: cut into it, and an earlier
    episode is not whole.
    """
    path = tmp_path / "outbox.sqlite"
    writer = OutboxWriter(path, linger_s=0.0)
    earlier = write_episode(writer, 10)
    assert writer.flush()
    copy = cut_copy(path, tmp_path / "copy", log_bytes(path) // 2, 0)
    writer.close()
    assert steps_of(copy, earlier) != list(range(11))
    assert steps_of(path, earlier) == list(range(11))
