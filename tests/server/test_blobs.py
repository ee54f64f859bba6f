"""The blob store: what it gives is what was put, and what is removed is what nothing refers to."""

import io
import os
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from robot_rl.errors import Unavailable
from robot_rl.server import blob_references, integrity, policies
from robot_rl.server.blobs import BlobDamaged, BlobMissing, BlobStore, FolderBlobs
from robot_rl.server.collection import collect
from robot_rl.server.database import Database
from robot_rl.server.recording import store_batch
from robot_rl.server.tables import SegmentTable
from tests.server.recordings import Recording, policy

NOW = timedelta(0)


def path_of(blobs: FolderBlobs, sha256: str) -> Path:
    return blobs._path(sha256)


def make_old(blobs: FolderBlobs) -> None:
    """As if everything in the store had been put there two days ago."""
    for path in blobs._folder.rglob("*"):
        two_days_ago = time.time() - 2 * 86400
        os.utime(path, (two_days_ago, two_days_ago))


def recorded(database: Database, blobs: BlobStore, steps: int = 6) -> Recording:
    recording = Recording()
    recording.episode(steps)
    for batch in recording.batches(3):
        store_batch(database, blobs, batch.header, batch.files)
    return recording


def look(database: Database, blobs: BlobStore, *, read: bool = True) -> integrity.Findings:
    return integrity.look(database, blobs, read=read)


def test_what_was_changed_on_the_disk_is_not_given_out(blobs: FolderBlobs) -> None:
    sha256 = blobs.put(b"frames")
    assert blobs.get(sha256) == b"frames"
    path_of(blobs, sha256).write_bytes(b"framed")
    with pytest.raises(BlobDamaged, match=r"is damaged: `robot-rl db check`"):
        blobs.get(sha256)


def test_a_blob_that_was_cut_short_is_stored_anew(blobs: FolderBlobs) -> None:
    sha256 = blobs.put(b"frames")
    path_of(blobs, sha256).write_bytes(b"fra")
    assert blobs.put(b"frames") == sha256
    assert blobs.get(sha256) == b"frames"


def test_what_is_not_there_is_not_found(blobs: FolderBlobs) -> None:
    for ask in (blobs.get, blobs.open, blobs.size_bytes):
        with pytest.raises(BlobMissing, match="there is no blob 0000"):
            ask("0" * 64)
    blobs.remove("0" * 64)
    assert not blobs.has("0" * 64)


def test_everything_is_listed_but_what_is_not_whole(blobs: FolderBlobs) -> None:
    stored = {blobs.put(bytes([n]) * n): n for n in range(1, 20)}
    (path_of(blobs, next(iter(stored))).parent / ".half.0.part").write_bytes(b"x")
    assert {blob.sha256: blob.size_bytes for blob in blobs.listed()} == stored


@pytest.mark.parametrize(
    ("harm", "read", "problem", "found"),
    [
        (lambda path: path.unlink(), False, "missing", "nothing"),
        (lambda path: path.write_bytes(b"short"), False, "damaged", "5 bytes in place of"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), True, "damaged", "sha256"),
    ],
)
def test_a_check_names_what_is_lost(
    database: Database, blobs: FolderBlobs, harm: Any, read: bool, problem: str, found: str
) -> None:
    recorded(database, blobs)
    manifest, weights, backbone = policy()
    for data in (weights, backbone):
        blobs.put(data)
    policies.store(database, blobs, manifest)
    assert look(database, blobs).sound
    with database.engine.connect() as connection:
        segment = connection.execute(SegmentTable.__table__.select()).first()
    assert segment is not None
    for sha256 in (segment.sha256, manifest.head.files[0].sha256):
        harm(path_of(blobs, sha256))
    said = look(database, blobs, read=read)
    assert not said.sound
    assert {trouble.problem for trouble in said.troubles} == {problem}
    assert all(found in trouble.found for trouble in said.troubles)
    owners = {str(owner) for trouble in said.troubles for owner in trouble.owners}
    last = segment.first_index + segment.count - 1
    assert any(f"steps {segment.first_index} to {last} of episode" in name for name in owners)
    assert "head.safetensors of policy 1 of lift_cube" in owners


def test_a_check_that_does_not_read_says_so(database: Database, blobs: FolderBlobs) -> None:
    recorded(database, blobs)
    for blob in blobs.listed():
        path_of(blobs, blob.sha256).write_bytes(bytes(blob.size_bytes))
    quick = look(database, blobs, read=False)
    assert (quick.sound, quick.read) == (True, False)
    assert len(look(database, blobs).troubles) == quick.blobs > 1


def test_an_episode_without_some_of_its_segments_is_named(
    database: Database, blobs: FolderBlobs
) -> None:
    recorded(database, blobs)
    with database.transaction() as connection:
        connection.execute(delete(SegmentTable).where(SegmentTable.first_index == 0))
    (gap,) = look(database, blobs).gaps
    assert gap.in_segments < gap.stored_steps == 7


def test_only_what_is_old_and_unused_is_collected(database: Database, blobs: FolderBlobs) -> None:
    recorded(database, blobs)
    orphan = blobs.put(b"nobody refers to this")
    left = path_of(blobs, orphan).parent / ".cdef.0123.part"
    left.write_bytes(b"half")
    (path_of(blobs, orphan).parent / f".new-{orphan}").write_bytes(b"half")  # of older versions
    make_old(blobs)
    young = blobs.put(b"an upload that is not over")
    said = look(database, blobs)
    assert (said.orphans, said.leftovers, said.sound) == (1, 2, True)
    removed = collect(database, blobs)
    assert (removed.orphans, removed.orphan_bytes, removed.leftovers) == (1, 21, 2)
    assert not left.exists()
    assert not blobs.has(orphan)
    assert blobs.has(young)
    assert look(database, blobs).sound
    assert collect(database, blobs).orphans == 0


def test_nothing_is_collected_during_a_backup(database: Database, blobs: FolderBlobs) -> None:
    with (
        blob_references.keeping(database, removing=False),
        blob_references.keeping(database, removing=False),
        pytest.raises(Unavailable, match="a backup, or another removal"),
    ):
        collect(database, blobs)
    assert collect(database, blobs).orphans == 0


class Hesitant(FolderBlobs):
    """Lets a collector in between looking for a blob and the transaction that refers to it."""

    def put_file(self, file: Any, sha256: str) -> None:
        super().put_file(file, sha256)
        time.sleep(0.002)

    def leftovers(self, before: datetime) -> list[str]:
        """None: what is being written now is older than nothing."""
        return super().leftovers(before - timedelta(days=1))


def test_a_blob_is_never_taken_from_a_writer_that_found_it(
    database: Database, tmp_path: Path
) -> None:
    """Old orphans with the very content that robots and a learner send, under a busy collector."""
    blobs = Hesitant(tmp_path / "blobs")
    recordings = [Recording(robot=f"robot_{n}") for n in range(3)]
    for recording in recordings:
        recording.episode(40)
    batches = [recording.batches(2) for recording in recordings]
    published = [policy(n) for n in range(30)]
    for each in batches:
        for batch in each:
            for data in batch.files.values():
                blobs.put(data)
    make_old(blobs)
    over, removed, failures = threading.Event(), [0], list[Exception]()

    def sweep() -> None:
        while not over.is_set():
            removed[0] += collect(database, blobs, kept_for=NOW).orphans

    def send(number: int) -> None:
        for batch in batches[number]:
            store_batch(database, blobs, batch.header, batch.files)

    def publish() -> None:
        for manifest, weights, backbone in published:
            while True:  # as a learner that is told what is lacking sends it again
                blobs.put(weights)
                blobs.put(backbone)
                try:
                    policies.store(database, blobs, manifest)
                except policies.BadPolicy:
                    continue
                break

    def kept(work: Any, *arguments: int) -> None:
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001  told below
            failures.append(error)

    writers = [threading.Thread(target=kept, args=(send, n)) for n in range(3)]
    writers.append(threading.Thread(target=kept, args=(publish,)))
    sweeper = threading.Thread(target=kept, args=(sweep,))
    for thread in (*writers, sweeper):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    sweeper.join()
    assert not failures
    assert removed[0] > 0
    said = look(database, blobs)
    assert said.sound, said.troubles
    assert said.blobs > 90


def test_a_policy_whose_file_was_taken_is_refused_until_it_is_sent_again(
    database: Database, blobs: FolderBlobs
) -> None:
    manifest, weights, backbone = policy()
    blobs.put_file(io.BytesIO(weights), manifest.head.files[0].sha256)
    with pytest.raises(policies.BadPolicy, match=r"backbone.* is not on the server"):
        policies.store(database, blobs, manifest)
    blobs.put(backbone)
    assert policies.store(database, blobs, manifest).version == 1
    assert collect(database, blobs, kept_for=NOW).orphans == 0
