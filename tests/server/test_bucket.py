"""The blob store in S3: the same promises and the same server tests as with a folder."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from robot_rl.errors import Unavailable
from robot_rl.schema.message import new_id
from robot_rl.server import backup, integrity
from robot_rl.server.blob_store import open_blobs
from robot_rl.server.blobs import BlobDamaged, BlobMissing
from robot_rl.server.bucket_blobs import BucketBlobs
from robot_rl.server.collection import collect
from robot_rl.server.database import Database
from robot_rl.server.settings import ServerProblem, ServerSettings
from tests.server.conftest import RunningServer, serving
from tests.server.s3 import ENVIRONMENT, make_bucket, s3_server
from tests.server.test_backup import nothing
from tests.server.test_blobs import NOW, recorded

# Collected here again, with the `server` of this module.
from tests.server.test_ingest import (  # noqa: F401
    robot,
    test_a_batch_sent_twice_is_stored_once,
    test_an_episode_arrives_whole,
    test_partly_known_batches_are_stored_once,
)
from tests.server.test_policies import (  # noqa: F401
    test_a_file_that_was_cut_off_goes_on_where_it_was,
    test_a_part_is_had_from_the_middle_on,
    test_one_version_at_most_is_active,
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with s3_server() as found:
        yield found


@pytest.fixture
def bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty one."""
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": address}).items():
        monkeypatch.setenv(name, value)
    name = f"lab-{new_id().hex}"
    make_bucket(address, name)
    return f"s3://{name}/robots"


@pytest.fixture
def blobs(bucket: str) -> BucketBlobs:
    return BucketBlobs(bucket)


@pytest.fixture
def server(database: Database, tmp_path: Path, bucket: str) -> Iterator[RunningServer]:
    settings = ServerSettings(data=tmp_path / "data", port=0, blob_url=bucket)
    with serving(settings, database) as running:
        yield running
    assert not settings.blob_folder.exists()


def test_what_is_put_is_got_listed_and_removed(blobs: BucketBlobs) -> None:
    stored = {blobs.put(bytes([n]) * n * 1000): n * 1000 for n in range(1, 6)}
    assert {blob.sha256: blob.size_bytes for blob in blobs.listed()} == stored
    for sha256, size in stored.items():
        assert blobs.put(blobs.get(sha256)) == sha256
        assert (blobs.size_bytes(sha256), blobs.has(sha256)) == (size, True)
        blobs.remove(sha256)
        assert not blobs.has(sha256)
        for ask in (blobs.get, blobs.open, blobs.size_bytes):
            with pytest.raises(BlobMissing, match=f"no blob {sha256}: `robot-rl db check`"):
                ask(sha256)
    blobs.remove("0" * 64)
    assert list(blobs.listed()) == []


def test_a_big_file_is_sent_in_parts_and_read_from_the_middle(blobs: BucketBlobs) -> None:
    data = hashlib.shake_256(b"weights").digest(13 * 2**20)
    sha256 = hashlib.sha256(data).hexdigest()
    blobs.put_file(io.BytesIO(data), sha256)
    with blobs.open(sha256) as file:
        file.seek(7 * 2**20 + 5)
        assert file.read(3) == data[7 * 2**20 + 5 :][:3]
        assert file.read() == data[7 * 2**20 + 8 :]
    assert blobs.get(sha256) == data


def test_what_was_changed_in_the_bucket_is_not_given_out(blobs: BucketBlobs) -> None:
    sha256 = blobs.put(b"frames")
    obstore.put(blobs._store, f"{sha256[:2]}/{sha256[2:]}", b"framed")
    with pytest.raises(BlobDamaged, match="is damaged"):
        blobs.get(sha256)


def test_it_is_checked_collected_and_backed_up_as_a_folder_is(
    database: Database,
    empty: Database,
    blobs: BucketBlobs,
    bucket: str,
    tmp_path: Path,
) -> None:
    recorded(database, blobs)
    lost = min(blob.sha256 for blob in blobs.listed())
    orphan = blobs.put(b"nobody refers to this")
    backup.make(database, blobs, tmp_path / "backup", seen=nothing)
    assert collect(database, blobs, kept_for=NOW).orphans == 1
    assert not blobs.has(orphan)
    blobs.remove(lost)
    assert [each.sha256 for each in integrity.look(database, blobs, read=True).troubles] == [lost]
    assert backup.put_back(database, blobs, tmp_path / "backup", seen=nothing).blobs == 1
    assert integrity.look(database, blobs, read=True).sound
    other = BucketBlobs(f"{bucket}-restored")
    backup.restore(empty, other, tmp_path / "backup", seen=nothing)
    assert integrity.look(empty, other, read=True).sound


def test_many_are_removed_by_one_request(
    database: Database, blobs: BucketBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Robots wait as long as it lasts."""
    asked: list[object] = []

    def delete(store: S3Store, paths: Sequence[str], delete: Any = obstore.delete) -> None:
        asked.append(paths)
        delete(store, paths)

    monkeypatch.setattr(obstore, "delete", delete)
    recorded(database, blobs)
    used = {blob.sha256 for blob in blobs.listed()}
    for number in range(30):
        blobs.put(bytes([number]))
    assert collect(database, blobs, kept_for=NOW).orphans == 30
    assert {blob.sha256 for blob in blobs.listed()} == used
    assert len(asked) == 1


@pytest.mark.parametrize("url", ["file:///tmp/x", "s3://", "s3://key:secret@bucket", "bucket"])
def test_a_url_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ServerProblem, match=r"BLOB_URL is not of the form s3://BUCKET"):
        open_blobs(ServerSettings(data=tmp_path, blob_url=url))


def test_a_bucket_that_is_not_there_is_refused_at_the_start(bucket: str) -> None:
    with pytest.raises(ServerProblem, match=r"cannot be used .* correct BLOB_URL"):
        BucketBlobs("s3://nobodys-bucket")


def test_a_bucket_that_is_gone_is_unavailable_and_not_missing(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as address:
        make_bucket(address, "short")
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        short = BucketBlobs("s3://short")
        sha256 = short.put(b"frames")
    with pytest.raises(Unavailable, match="cannot be used at the moment"):
        short.get(sha256)
