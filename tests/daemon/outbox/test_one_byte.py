"""One byte of a row changed on the disk: the row is set aside, and all others go on."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.recording import recorded, started, write_episode
from robot_rl.cli import app
from robot_rl.daemon.outbox import file as outbox_file
from robot_rl.daemon.outbox.aside import set_aside_rows
from robot_rl.daemon.outbox.file import doubt, move_aside
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.episode import EpisodeStarted
from robot_rl.schema.message import new_id
from tests.daemon.link.test_uplink import IngestServer, drain

ROW = 3  # the second step, behind the start
SECONDS = 20.0  # many times what it takes
DAMAGE: dict[str, tuple[str, bytes | None]] = {  # column → its bytes; None: a high bit flips
    "body": ("body", None),
    "cameras": ("cameras", None),
    "kind": ("kind", None),
    "cameras, not pairs": ("cameras", b"[1]"),
    "cameras, no JSON": ("cameras", b"{"),
    "cameras, no sizes": ("cameras", b'[["front", "x"]]'),
    "cameras, sizes of other pictures": ("cameras", b'[["front", 1], ["wrist", 2]]'),
}


def damage(path: Path, column: str, value: bytes | None) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if value is None:
            (found,) = connection.execute(
                f"SELECT CAST({column} AS BLOB) FROM rows WHERE number = ?", (ROW,)
            ).fetchone()
            value = found[:3] + bytes([found[3] | 0x80]) + found[4:]
        connection.execute(
            f"UPDATE rows SET {column} = CAST(? AS TEXT) WHERE number = ?", (value, ROW)
        )
        assert connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["outbox", *arguments, "--data", str(path.parent)])


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_row_is_set_aside_and_costs_itself_only(tmp_path: Path, what: str) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = write_episode(writer, 4)
    damage(path, *DAMAGE[what])
    uplink, said = drain(path, server, seconds=SECONDS)
    assert server.steps == [(episode, index) for index in (0, 2, 3, 4)]
    assert uplink.state.counts.set_aside == 1
    assert any(f"row {ROW} of the outbox cannot be read" in line for line in said)

    listed = json.loads(run(path, "list", "--json").stdout)
    assert [row["number"] for row in listed["set_aside"]] == [ROW]
    assert listed["kept"]["batches"] > 0
    assert "are kept, for when" in run(path, "list").stdout
    shown = run(path, "show", str(ROW), "--out", str(tmp_path / "mend"))
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "mend" / f"{ROW}.json").is_file()
    refused = run(path, "send-again", str(ROW))
    assert "is not sent" in str(refused.exception), refused.output
    assert run(path, "drop", str(ROW)).exit_code == 0
    assert set_aside_rows(path) == []


BESIDE: dict[str, tuple[str, bytes]] = {  # column of `open_episodes` → its bytes
    "id, no text": ("episode_id", b"\xff"),
    "id, no UUID": ("episode_id", b"nonsense"),
    "purpose, no text": ("purpose", b"\xff"),
    "cameras, no text": ("cameras", b"\xff"),
    "cameras, no names": ("cameras", b"[1]"),
    "cameras, no list": ("cameras", b"1"),
}


@pytest.mark.parametrize("what", BESIDE)
def test_a_damaged_open_episode_stops_nothing(tmp_path: Path, what: str) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    column, value = BESIDE[what]
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = new_id()
        assert writer.append_event(started(episode))
        assert writer.append_step(recorded(episode, 0))
        assert writer.flush()
        put(path, f"UPDATE open_episodes SET {column} = CAST(? AS TEXT)", value)
        assert writer.append_step(recorded(episode, 1))
        assert writer.flush()
    with OutboxWriter(path, linger_s=0.0) as writer:  # as after a crash
        second = write_episode(writer, 1)
    uplink, _ = drain(path, server, seconds=SECONDS)
    assert server.steps == [(episode, 0), (episode, 1), (second, 0), (second, 1)]
    lost = column == "episode_id"
    assert uplink.state.counts.set_aside == lost
    assert ("was never ended" in "".join(row.reason for row in set_aside_rows(path))) is lost


@pytest.mark.parametrize("value", [b"\xff", b"nonsense"])
def test_a_damaged_epoch_is_another_one(tmp_path: Path, value: bytes) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        episode = write_episode(writer, 2)
    put(path, "UPDATE epochs SET epoch = CAST(? AS TEXT)", value)
    with closing(OutboxReader(path)) as reader:
        assert reader.boot_epoch == reader.boot_epoch
    drain(path, server, seconds=SECONDS)
    assert server.steps == [(episode, index) for index in range(3)]


def put(path: Path, statement: str, value: bytes) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        connection.execute(statement, (value,))


def test_a_damaged_row_keeps_no_other_from_being_listed_and_dropped(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 4)
    damage(path, "cameras", b"{")
    with closing(OutboxReader(path)) as reader:
        reader.set_aside(2, 4, "the server had a defect")
    assert run(path, "drop", "2").exit_code == 0
    assert run(path, "send-again", "4").exit_code == 0
    assert [row.number for row in set_aside_rows(path)] == [ROW]


@pytest.mark.parametrize("doubted", [False, True])
def test_numbers_go_on_where_the_count_of_an_empty_outbox_is_lost(
    tmp_path: Path, doubted: bool
) -> None:
    path, server = tmp_path / "outbox.sqlite", IngestServer()
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 4)
    with closing(OutboxReader(path)) as reader:
        reader.set_aside(1, 3, "the server had a defect")
    drain(path, server, seconds=SECONDS)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM sqlite_sequence")
    if doubted:
        doubt(path)
    server.refuse = lambda item: isinstance(item, EpisodeStarted)
    with OutboxWriter(path, linger_s=0.0) as writer:
        write_episode(writer, 4)
    drain(path, server, seconds=SECONDS)
    numbers = [row.number for row in set_aside_rows(path)]
    assert numbers == [1, 2, 3, 4], "the start of the second episode is behind those"


@pytest.mark.parametrize("renames", [0, 1, 2, 3, 4])
def test_a_power_cut_while_a_damaged_file_is_replaced_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Rows that are only in the log of changes are in the new file, however far it came."""
    path = tmp_path / "outbox.sqlite"
    with OutboxWriter(path, linger_s=0.0) as writer, closing(OutboxReader(path)) as reader:
        write_episode(writer, 4)
        assert writer.flush()
        assert reader.counts().pending == 7
        writer.close()
        doubt(path)
        done: list[str] = []
        rename = Path.rename

        def cut(self: Path, target: Path) -> Path:
            if self.name.startswith("outbox.sqlite") and len(done) == renames:
                raise OSError("the power failed")
            done.append(self.name)
            return rename(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", cut)
            with pytest.raises(OSError, match="the power failed"):
                outbox_file.reopen(path)
        with closing(outbox_file.reopen(path)) as connection:
            assert connection.execute("SELECT count(*) FROM rows").fetchone()[0] == 7
            assert connection.execute("SELECT count(*) FROM set_aside").fetchone()[0] == 0
    kept = list(tmp_path.glob("outbox.sqlite.damaged-*Z"))
    assert len(kept) == 1
    assert kept[0].with_name(kept[0].name + "-wal").is_file()


def test_the_log_of_a_damaged_file_is_moved_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way round, the new file would be opened with the old one's log."""
    names = ("o", "o-wal", "o-shm")
    for name in names:
        (tmp_path / name).write_text(name)
    moved: list[str] = []
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda self, target: (moved.append(self.name), rename(self, target))[1]
    )
    move_aside(tmp_path / "o", tmp_path / "kept")
    assert moved == ["o-wal", "o-shm", "o"]
    assert [(tmp_path / f"kept{name[1:]}").read_text() for name in names] == list(names)
