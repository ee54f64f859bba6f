"""Policy versions: numbered once, checked by hash, offered to robots."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from robot_rl.schema.policy import PIECE_BYTES, Part, PartsOffered
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.incoming import IncomingParts
from tests.server.conftest import RunningServer
from tests.server.recordings import ROBOT, TASK, Recording, policy, post, publish


def wanted(client: httpx.Client) -> int | None:
    answer = client.get(f"/api/policies/{TASK}/wanted").json()
    return None if answer is None else answer["version"]


def test_versions_count_per_task(server: RunningServer) -> None:
    with server.client("learner") as learner:
        assert wanted(learner) is None
        first, second = policy(1), policy(2, parent=1)
        assert publish(learner, *first).json()["version"] == 1
        # The backbone is there already
        assert publish(learner, *second[:2]).json()["version"] == 2
        assert publish(learner, *policy(1, task="insert_peg")).json()["version"] == 1
        assert publish(learner, *first).json()["version"] == 1  # sent again after an outage
        assert wanted(learner) == 2
        for part, data in ((second[0].head, second[1]), (first[0].backbone, first[2])):
            assert learner.get(f"/api/policies/parts/{part.sha256}").content == data
        assert learner.get("/api/policies/parts/" + "0" * 64).status_code == 404
        assert learner.get("/api/policies/parts/..%2Fx").status_code == 404


def test_learners_at_once_get_different_numbers(server: RunningServer) -> None:
    with server.client("learner") as learner:
        publish(learner, *policy(0))

        def send(number: int) -> int:
            return publish(learner, *policy(number)[:2]).json()["version"]

        with ThreadPoolExecutor(4) as pool:
            versions = sorted(pool.map(send, range(1, 9)))
    assert versions == list(range(2, 10))


def test_a_file_that_another_sender_finishes_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = IncomingParts(tmp_path / "incoming", FolderBlobs(tmp_path / "blobs"))
    listed = Path.iterdir

    def with_one_that_is_gone(folder: Path) -> Iterator[Path]:
        yield folder / "finished"
        yield from listed(folder)

    monkeypatch.setattr(Path, "iterdir", with_one_that_is_gone)
    data = b"weights"
    assert incoming.add(hashlib.sha256(data).hexdigest(), len(data), 0, data) == len(data)


def test_bad_policies_are_refused(server: RunningServer) -> None:
    manifest, weights, backbone = policy(1)
    with server.client("learner") as learner:
        cases = {
            "send the file that the manifest was made for": (manifest, weights + b"x", backbone),
            "is not on the server: send it before the manifest": (manifest, weights, None),
            "the parent version 7 is not on the server": policy(1, parent=7),
        }
        for sentence, (bad, data, base) in cases.items():
            answer = publish(learner, bad, data, base)
            assert answer.status_code == 422
            assert sentence in answer.json()["detail"]
        assert learner.get("/api/policies").json()["policies"] == []


def test_a_big_policy_costs_no_memory(server: RunningServer) -> None:
    """A backbone of 64 MiB goes in and comes out again a piece at a time."""
    backbone = bytes(64 * 2**20)
    manifest, weights, _ = policy(1, backbone=backbone)
    with server.client("learner") as learner:
        tracemalloc.start()  # what the client holds already is not counted
        try:
            assert publish(learner, manifest, weights, backbone).status_code == 201
            with learner.stream("GET", address(manifest.backbone)) as answer:
                found = hashlib.sha256()
                for piece in answer.iter_bytes():
                    found.update(piece)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found.hexdigest() == manifest.backbone.sha256
    # The client's requests hold their pieces until the garbage collector comes by.
    assert most < 0.9 * len(backbone)


def address(part: Part) -> str:
    return f"/api/policies/parts/{part.sha256}"


def test_a_file_that_was_cut_off_goes_on_where_it_was(server: RunningServer) -> None:
    manifest, weights, backbone = policy(1, backbone=bytes(range(256)) * 10)
    file = manifest.backbone.files[0]
    whole = {"offset": 0, "size_bytes": len(backbone)}
    with server.client("learner") as learner:

        def put(offset: int, piece: bytes) -> httpx.Response:
            return learner.put(
                address(manifest.backbone), params={**whole, "offset": offset}, content=piece
            )

        def lacking() -> dict[str, int]:
            offered = PartsOffered(files=manifest.files).model_dump(mode="json")
            answer = learner.post("/api/policies/parts/lacking", json=offered)
            return {each["sha256"]: each["held_bytes"] for each in answer.json()["files"]}

        assert lacking() == {file.sha256: 0, manifest.head.sha256: 0}
        assert put(0, backbone[:1000]).json()["held_bytes"] == 1000
        assert put(0, backbone[:700]).json()["held_bytes"] == 1000, "sent again: nothing changes"
        assert put(1500, backbone[1500:]).json()["held_bytes"] == 1000, "a gap is not taken"
        assert lacking()[file.sha256] == 1000
        assert put(1000, backbone[1000:]).json()["held_bytes"] == len(backbone)
        assert put(0, backbone[:9]).json()["held_bytes"] == len(backbone), "it is here"
        assert lacking() == {manifest.head.sha256: 0}
        assert publish(learner, manifest, weights).status_code == 201
        damaged = put_other(learner, b"other")
        assert damaged.status_code == 422
        assert "send the file that the manifest was made for" in damaged.json()["detail"]


def put_other(client: httpx.Client, data: bytes) -> httpx.Response:
    sha256 = hashlib.sha256(b"announced").hexdigest()
    query = {"offset": 0, "size_bytes": len(data)}
    return client.put(f"/api/policies/parts/{sha256}", params=query, content=data)


def test_a_piece_too_large_or_without_a_hash_is_refused(server: RunningServer) -> None:
    query = {"offset": 0, "size_bytes": PIECE_BYTES + 1}
    with server.client("learner") as learner:
        too_large = learner.put(
            "/api/policies/parts/" + "0" * 64, params=query, content=bytes(PIECE_BYTES + 1)
        )
        assert too_large.status_code == 413
        assert learner.put("/api/policies/parts/x", params=query, content=b"x").status_code == 422


def test_a_part_is_had_from_the_middle_on(server: RunningServer) -> None:
    manifest, weights, backbone = policy(1, backbone=bytes(range(256)) * 10)
    with server.client("learner") as learner:
        publish(learner, manifest, weights, backbone)
        path, tag = address(manifest.backbone), f'"{manifest.backbone.sha256}"'
        rest = learner.get(path, headers={"Range": "bytes=1000-", "If-Range": tag})
        assert (rest.status_code, rest.content) == (206, backbone[1000:])
        assert rest.headers["Content-Range"] == f"bytes 1000-{len(backbone) - 1}/{len(backbone)}"
        other = learner.get(path, headers={"Range": "bytes=1000-", "If-Range": '"other"'})
        assert (other.status_code, other.content) == (200, backbone)
        beyond = learner.get(path, headers={"Range": f"bytes={len(backbone)}-"})
        assert beyond.status_code == 416
        assert learner.get(path, headers={"Range": "lines=1-2"}).status_code == 200


def test_one_version_at_most_is_active(server: RunningServer) -> None:
    """Also when a robot goes back to what it started with, which is no version of this server."""
    recording = Recording()
    with server.client("learner") as learner, server.client("robot", ROBOT) as robot:
        published = [policy(number) for number in (1, 2)]
        for one in published:
            publish(learner, *one)

        def activate(version: int, sha256: str, episode_id: UUID | None) -> dict[int, str]:
            before, recording.t_ns = len(recording.rows), recording.t_ns + 1
            recording.activated(version, sha256, episode_id=episode_id)
            assert post(robot, recording.batch(before + 1)).status_code == 200
            page = learner.get("/api/policies", params={"task": TASK}).json()
            return {each["version"]: each["status"] for each in page["policies"]}

        first, second = (manifest.sha256 for manifest, *_ in published)
        episode_id = recording.start()
        assert post(robot, recording.batch()).status_code == 200
        assert activate(2, second, None) == {1: "superseded", 2: "active"}
        assert activate(1, first, None) == {1: "active", 2: "superseded"}
        assert activate(0, "", episode_id) == {1: "superseded", 2: "superseded"}
        assert activate(2, second, None) == {1: "superseded", 2: "active"}


def test_a_pin_holds_until_it_is_taken_off(server: RunningServer) -> None:
    with server.client("learner") as learner, server.client("engineer", "eve") as engineer:
        for number in (1, 2, 3):
            publish(learner, *policy(number))
        assert wanted(learner) == 3
        assert engineer.post(f"/api/policies/{TASK}/1/pin").status_code == 200
        assert wanted(learner) == 1
        publish(learner, *policy(4))
        assert wanted(learner) == 1
        page = engineer.get("/api/policies", params={"task": TASK}).json()
        assert (page["pinned"], len(page["policies"])) == (1, 4)
        assert engineer.post(f"/api/policies/{TASK}/1/reject").status_code == 422
        assert engineer.delete(f"/api/policies/{TASK}/pin").status_code == 200
        assert engineer.post(f"/api/policies/{TASK}/4/reject").status_code == 200
        assert wanted(learner) == 3
        assert engineer.post(f"/api/policies/{TASK}/9/pin").json()["detail"] == (
            f"there is no version 9 of {TASK}"
        )
