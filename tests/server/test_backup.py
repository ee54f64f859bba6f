"""Backups: taken while robots record, whole when they are restored, into any Postgres."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL, func, make_url, select, text
from typer.testing import CliRunner

from robot_rl.cli import app
from robot_rl.errors import Conflict, NotFound
from robot_rl.schema.message import new_id
from robot_rl.server import backup, integrity, migration, policies
from robot_rl.server.backup import put_back
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database, connect
from robot_rl.server.settings import ServerSettings
from robot_rl.server.tables import EpisodeTable
from tests.server.conftest import RunningServer, serving
from tests.server.foreign import foreign_postgres
from tests.server.recordings import Recording, policy, post
from tests.server.test_blobs import recorded


def nothing() -> None:
    """Of progress."""


@pytest.fixture(scope="module")
def foreign() -> Iterator[URL]:
    with foreign_postgres() as url:
        yield make_url(url)


@pytest.fixture
def abroad(foreign: URL) -> Iterator[Callable[[], Database]]:
    """Makes databases without tables on the foreign server."""
    admin = connect(foreign.render_as_string(hide_password=False), None)
    made: list[Database] = [admin]

    def make() -> Database:
        name = f"t{new_id().hex}"
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        url = foreign.set(database=name).render_as_string(hide_password=False)
        made.append(connect(url, None))
        return made[-1]

    yield make
    for each in made:
        each.engine.dispose()


def steps_in(database: Database) -> int:
    with database.engine.connect() as connection:
        return connection.execute(select(func.sum(EpisodeTable.stored_steps))).scalar_one()


def test_a_backup_during_recording_restores_whole_and_robots_go_on(
    server: RunningServer, empty: Database, tmp_path: Path
) -> None:
    recording = Recording()
    for _ in range(6):
        recording.episode(30)
    batches = recording.batches(5)
    begun, over = threading.Event(), threading.Event()

    def record() -> None:
        with server.client("robot", recording.robot) as robot:
            for number, batch in enumerate(batches):
                assert post(robot, batch).status_code == 200
                if number == 3:
                    begun.set()
                if over.is_set():
                    return

    robot = threading.Thread(target=record)
    robot.start()
    assert begun.wait(60)
    blobs = FolderBlobs(server.settings.blob_folder)
    made = backup.make(server.database, blobs, tmp_path / "backup", seen=over.set)
    robot.join()
    assert not made.lost
    assert made.copied == made.blobs > 0

    restored = FolderBlobs(tmp_path / "restored" / "blobs")
    told, returned = backup.restore(empty, restored, tmp_path / "backup", seen=nothing)
    assert (told, returned.lacking) == (made, ())
    found = integrity.look(empty, restored, read=True)
    assert found.sound, found
    assert 0 < found.blobs <= made.blobs
    with (
        serving(replace(server.settings, data=tmp_path / "restored", port=0), empty) as again,
        again.client("robot", recording.robot) as client,
    ):
        query = {"robot": recording.robot, "boot_epoch": str(recording.boot_epoch)}
        last = client.get("/api/ingest/cursor", params=query).json()["last_sequence"]
        assert 0 < last < len(recording.rows)
        for first in range(last + 1, len(recording.rows) + 1, 50):
            rest = recording.batch(first, min(first + 49, len(recording.rows)))
            assert post(client, rest).status_code == 200
    assert steps_in(empty) == 6 * 31
    assert integrity.look(empty, restored, read=True).sound


@pytest.mark.parametrize("way", ["ours to theirs", "theirs to ours", "theirs to theirs"])
def test_a_backup_of_one_postgres_restores_into_another(
    database: Database, empty: Database, abroad: Callable[[], Database], tmp_path: Path, way: str
) -> None:
    """Debian's is older than the embedded one: neither programs nor dumps may mind."""
    source_way, target_way = way.split(" to ")
    source = database if source_way == "ours" else abroad()
    target = empty if target_way == "ours" else abroad()
    migration.upgrade(source)
    blobs, restored = FolderBlobs(tmp_path / "blobs"), FolderBlobs(tmp_path / "restored")
    recorded(source, blobs)
    manifest, weights, backbone = policy()
    for data in (weights, backbone):
        blobs.put(data)
    policies.store(source, blobs, manifest)
    backup.make(source, blobs, tmp_path / "backup", seen=nothing)
    backup.restore(target, restored, tmp_path / "backup", seen=nothing)
    assert integrity.look(target, restored, read=True).sound
    assert steps_in(target) == 7
    assert policies.newest(target, None, 9) == policies.newest(source, None, 9)
    with pytest.raises(Conflict, match=r"tables already: name an empty folder with --data"):
        backup.restore(target, restored, tmp_path / "backup", seen=nothing)


def test_a_second_backup_copies_only_what_is_new(
    database: Database, blobs: FolderBlobs, tmp_path: Path
) -> None:
    recorded(database, blobs)
    first = backup.make(database, blobs, tmp_path / "backup", seen=nothing)
    assert backup.make(database, blobs, tmp_path / "backup", seen=nothing).copied == 0
    assert first.copied == first.blobs
    recorded(database, blobs, 9)
    third = backup.make(database, blobs, tmp_path / "backup", seen=nothing)
    assert third.copied == third.blobs - first.blobs > 0


def test_what_is_lost_is_said_and_comes_back_from_an_earlier_backup(
    database: Database, blobs: FolderBlobs, tmp_path: Path
) -> None:
    recorded(database, blobs)
    backup.make(database, blobs, tmp_path / "backup", seen=nothing)
    stored = sorted(blob.sha256 for blob in blobs.listed())
    blobs.remove(stored[0])
    blobs._path(stored[1]).write_bytes(b"rotten")
    assert set(backup.make(database, blobs, tmp_path / "new", seen=nothing).lost) == set(stored[:2])
    assert not integrity.look(database, blobs, read=True).sound
    returned = put_back(database, blobs, tmp_path / "backup", seen=nothing)
    assert (returned.blobs, returned.lacking) == (2, ())
    assert integrity.look(database, blobs, read=True).sound
    blobs.remove(stored[2])
    (tmp_path / "none").mkdir()
    assert put_back(database, blobs, tmp_path / "none", seen=nothing).lacking == (stored[2],)


def test_a_backup_that_is_no_backup_is_refused(
    database: Database, empty: Database, blobs: FolderBlobs, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    with pytest.raises(NotFound, match="holds no finished backup"):
        backup.restore(empty, blobs, folder, seen=nothing)
    backup.make(database, blobs, folder, seen=nothing)
    _, dump = backup.newest(folder)
    dump.write_bytes(dump.read_bytes()[:-1])
    with pytest.raises(Conflict, match=r"it is damaged; move it and its \.json away"):
        backup.restore(empty, blobs, folder, seen=nothing)
    assert migration.found(empty) is None
    dump.with_suffix(".json").write_bytes(b"{}")
    with pytest.raises(Conflict, match="is damaged, or of a newer robot-rl"):
        backup.restore(empty, blobs, folder, seen=nothing)


def test_a_restore_that_fails_leaves_the_database_empty(
    database: Database, empty: Database, blobs: FolderBlobs, tmp_path: Path
) -> None:
    """pg_restore reads half of the dump, and psql has committed none of it."""
    recorded(database, blobs)
    backup.make(database, blobs, tmp_path, seen=nothing)
    _, dump = backup.newest(tmp_path)
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
    with pytest.raises(backup.postgres_programs.PostgresProgramFailed, match="pg_restore ended"):
        backup.postgres_programs.restore(empty, dump)
    assert migration.found(empty) is None


@pytest.mark.parametrize(
    ("psql", "said"),
    [
        ("echo no room on the disk >&2; exit 3", "psql ended with 3: no room on the disk"),
        ("cat >/dev/null; kill -9 $$", "psql ended with -9: it did not say why"),
        ("head -c 999999 /dev/zero >&2; cat >/dev/null; exit 2", "psql ended with 2: "),
    ],
)
def test_a_psql_that_ends_is_told_and_not_waited_for(
    psql: str, said: str, empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_restore would go on for ever, or has ended well; more than a pipe holds either way."""
    for name, script in (("pg_restore", "head -c 9999999 /dev/zero"), ("psql", psql)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    programs = backup.postgres_programs
    monkeypatch.setattr(programs, "_folder", lambda _major: tmp_path)
    with pytest.raises(programs.PostgresProgramFailed, match=said):
        programs.restore(empty, tmp_path / "a.dump")


def test_missing_blobs_of_a_folder_without_a_backup(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error makes no folder and touches nothing."""
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False))
    asked = ["db", "restore", str(tmp_path / "typo"), "--missing", "--data", str(tmp_path / "data")]
    with pytest.raises(NotFound, match="typo holds no finished backup"):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    assert not (tmp_path / "typo").exists()


def test_a_damaged_blob_stays_until_the_backup_has_shown_a_better_one(
    database: Database, blobs: FolderBlobs, tmp_path: Path
) -> None:
    recorded(database, blobs)
    backup.make(database, blobs, tmp_path / "backup", seen=nothing)
    stored, kept = sorted(blobs.listed(), key=lambda blob: blob.sha256), tmp_path / "backup"
    absent, rotten, whole = (blob.sha256 for blob in stored[:3])
    for sha256 in (absent, rotten, whole):
        blobs._path(sha256).write_bytes(b"mostly readable")
    backup.blobs_in(kept).remove(absent)
    backup.blobs_in(kept)._path(rotten).write_bytes(b"rotten")
    returned = put_back(database, blobs, kept, seen=nothing)
    assert (returned.blobs, returned.lacking) == (1, (absent, rotten))
    for sha256 in (absent, rotten):
        assert blobs._path(sha256).read_bytes() == b"mostly readable"
    assert blobs.get(whole)


def test_the_server_works_on_a_foreign_postgres(
    abroad: Callable[[], Database], tmp_path: Path
) -> None:
    """Which the server only checks, and `db upgrade` brings to the schema."""
    made = abroad()
    settings = ServerSettings(data=tmp_path / "data", port=0)
    migration.upgrade(made)
    recording = Recording()
    recording.episode(8, human=(2, 3))
    with serving(settings, made) as running, running.client("robot", recording.robot) as robot:
        for batch in recording.batches(4):
            assert post(robot, batch).status_code == 200
    assert steps_in(made) == 9
