"""What the server acknowledged is kept as well: bounded, the oldest go first, nothing waits."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.recording import sent_beside
from robot_rl.daemon.outbox import sent
from robot_rl.schema.ingest import BatchHeader, SegmentRef
from robot_rl.schema.message import new_id, utc_now

SERVER, EPOCH, EPISODE = new_id(), new_id(), new_id()
PART_BYTES = 100_000


def header(number: int) -> BatchHeader:
    """Ten steps, the `number`th ten of the epoch."""
    items = SegmentRef(
        part="segment0", episode_id=EPISODE, first_index=10 * number, count=10, sha256="s"
    )
    return BatchHeader(
        robot="panda-sim", boot_epoch=EPOCH, first_sequence=10 * number + 1,
        last_sequence=10 * number + 10, sent_t_utc=utc_now(), items=(items,),
    )  # fmt: skip


def part(number: int) -> bytes:
    return bytes([number]) * PART_BYTES


def numbers(kept: sent.SentBatches, server: UUID = SERVER) -> list[int]:
    found: list[int] = []
    last = 0
    while (batch := kept.after(server, EPOCH, last)) is not None:
        last = batch.header.last_sequence
        found.append(last // 10 - 1)
        assert batch.files == {"segment0": part(found[-1])}
    return found


def test_batches_come_back_as_they_were_in_order(tmp_path: Path) -> None:
    kept = sent_beside(tmp_path / "outbox.sqlite")
    for number in range(4):
        kept.keep(SERVER, header(number), {"segment0": part(number)})
    assert numbers(kept) == [0, 1, 2, 3]
    assert numbers(kept, server=new_id()) == []
    found = kept.after(SERVER, EPOCH, 15)
    assert found is not None
    assert found.header.first_sequence == 11  # it holds row 16
    assert len([*kept.of_episode(SERVER, EPISODE)]) == 4
    assert [*kept.of_episode(SERVER, new_id())] == []
    kept.close()
    assert sent.kept_state(tmp_path / sent.SENT).batches == 4


def test_the_oldest_make_room_for_the_newest(tmp_path: Path) -> None:
    bound = 40 * PART_BYTES
    kept = sent_beside(tmp_path / "outbox.sqlite", keep_bytes=bound)
    for number in range(100):
        kept.keep(SERVER, header(number), {"segment0": part(number)})
        assert kept.state().size_bytes <= bound
    left = numbers(kept)
    assert left == [*range(left[0], 100)]
    assert 10 < len(left) < 40
    kept.close()


def shortage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "free_bytes", lambda _: sent.ROOM_BYTES - 1)


def two_hours_later(monkeypatch: pytest.MonkeyPatch) -> None:
    later_s = sent.time.time() + 7200.0
    monkeypatch.setattr(sent.time, "time", lambda: later_s)


@pytest.mark.parametrize(
    ("befalls", "left"), [(shortage, []), (two_hours_later, [5])], ids=["disk", "age"]
)
def test_what_is_old_and_what_the_disk_has_no_room_for_goes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    befalls: Callable[[pytest.MonkeyPatch], None],
    left: list[int],
) -> None:
    kept = sent_beside(tmp_path / "outbox.sqlite")
    for number in range(5):
        kept.keep(SERVER, header(number), {"segment0": part(number)})
    befalls(monkeypatch)
    kept.keep(SERVER, header(5), {"segment0": part(5)})
    assert numbers(kept) == left
    kept.close()


@pytest.mark.parametrize("nothing", [{"keep_s": 0.0}, {"keep_bytes": 0}])
def test_a_cell_may_keep_nothing(tmp_path: Path, nothing: dict[str, int]) -> None:
    kept = sent_beside(tmp_path / "outbox.sqlite", **nothing)
    kept.keep(SERVER, header(0), {"segment0": part(0)})
    assert not (tmp_path / sent.SENT).exists()


def test_a_damaged_file_costs_what_it_kept_and_is_begun_anew(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / sent.SENT
    path.write_bytes(b"no database at all" * 1000)
    kept = sent.SentBatches(path, keep_s=3600.0, keep_bytes=2**30, log=said.append)
    assert kept.after(SERVER, EPOCH, 0) is None
    assert "is damaged" in said[0]
    kept.keep(SERVER, header(0), {"segment0": part(0)})
    assert numbers(kept) == [0]
    kept.close()
