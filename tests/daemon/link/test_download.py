"""Policies over a real HTTP connection: whole and verified, or not there at all."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from robot_rl.daemon.link import download
from robot_rl.daemon.link.download import BadDownload, Downloads, fetch_policy
from robot_rl.daemon.messages import PolicyReady
from robot_rl.policy.folder import BACKBONE, HEAD, sha256_of
from robot_rl.policy.versions import KEPT, VersionStore, mark_acted
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import (
    Part,
    PartFile,
    PartRole,
    PolicyManifest,
    PolicyStatus,
    PolicyVersion,
    parts_sha256,
)
from tests.daemon.actor.rig import Rig, steps_of

TASK = "lift_cube"
BONE = b"backbone" * 1000
PATIENCE_S = 20.0


class Files:
    """What the server has. `broken`: path → how it answers; `asked`: paths in order."""

    def __init__(self) -> None:
        self.served: dict[str, bytes] = {}
        self.broken: dict[str, str] = {}
        self.asked: list[str] = []
        self.sent: list[tuple[str, int]] = []  # path and first byte

    def publish(self, version: int, data: bytes = b"") -> PolicyVersion:
        data = data or f"head {version} ".encode() * 5000
        parts = tuple(
            Part(
                role=role,
                kind="any",
                sha256=sha256_of(content),
                files=(
                    PartFile(
                        name=f"{role}.safetensors",
                        sha256=sha256_of(content),
                        size_bytes=len(content),
                    ),
                ),
            )
            for role, content in ((PartRole.BACKBONE, BONE), (PartRole.HEAD, data))
        )
        manifest = PolicyManifest(
            policy_id=new_id(),
            task=TASK,
            parent_version=None,
            algorithm="hil_serl",
            sha256=parts_sha256(parts),
            size_bytes=len(BONE) + len(data),
            parts=parts,
            created_t_utc=utc_now(),
            feed_cursor=0,
            update=None,
        )
        policy = PolicyVersion(version=version, status=PolicyStatus.CANDIDATE, manifest=manifest)
        self.serve(policy, {sha256_of(data): data, sha256_of(BONE): BONE})
        return policy

    def serve(self, policy: PolicyVersion, contents: Mapping[str, bytes]) -> None:
        self.served |= {f"/api/policies/parts/{key}": data for key, data in contents.items()}
        self.served[f"/api/policies/{TASK}/wanted"] = policy.model_dump_json().encode()


def weights(policy: PolicyVersion) -> str:
    return f"/api/policies/parts/{policy.manifest.head.sha256}"


def bone(policy: PolicyVersion) -> str:
    return f"/api/policies/parts/{policy.manifest.backbone.sha256}"


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def url(files: Files) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files.asked.append(self.path)
            body, fault = files.served.get(self.path), files.broken.get(self.path, "")
            if body is None or fault.isdigit():
                self.send_response(int(fault or 404))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fault == "other bytes":
                body = body[:-1] + b"?"
            begun = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-")
            start = 0 if fault == "no ranges" else int(begun)
            files.sent.append((self.path, start))
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = start + (len(body) - start) // 2 if fault == "cut" else len(body)
            self.wfile.write(body[start:end])
            self.close_connection = True

        def log_message(self, *_: object, **__: object) -> None:
            """Nothing: pytest shows what failed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url: str, store: Path, policy: PolicyVersion) -> Path:
    async def once() -> Path:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            return await fetch_policy(client, VersionStore(store), policy)

    return asyncio.run(once())


def everything(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}


def test_a_version_arrives_whole_and_its_backbone_once(
    files: Files, url: str, tmp_path: Path
) -> None:
    one, two = files.publish(1), files.publish(2)
    first, second = fetch(url, tmp_path, one), fetch(url, tmp_path, two)
    assert (first / HEAD).read_bytes() == files.served[weights(one)]
    assert (first / BACKBONE).samefile(second / BACKBONE)
    assert PolicyVersion.model_validate_json((second / "version.json").read_bytes()) == two
    assert files.asked.count(bone(one)) == 1
    files.asked.clear()
    assert fetch(url, tmp_path, one) == first
    assert not files.asked, "what is here is not fetched again"


def test_the_same_parts_under_another_number_are_that_version(
    files: Files, url: str, tmp_path: Path
) -> None:
    """Else an evaluation of it is refused, and it is pruned as old as its first number."""
    old = files.publish(1, b"the same head")
    newer = [files.publish(version) for version in range(2, KEPT + 3)]
    again = files.publish(KEPT + 3, b"the same head")
    for policy in (old, *newer):
        fetch(url, tmp_path, policy)
    files.asked.clear()
    folder = fetch(url, tmp_path, again)
    assert not files.asked, "its parts are here"
    store = VersionStore(tmp_path)
    assert store.find(TASK, again.version) == folder
    store.prune(keep=(None, None))
    assert folder.exists()


@pytest.mark.parametrize("fault", ["other bytes", "404", "500"])
@pytest.mark.parametrize("part", [weights, bone])
def test_what_is_not_what_was_announced_leaves_nothing_behind(
    files: Files, url: str, tmp_path: Path, fault: str, part: Callable[[PolicyVersion], str]
) -> None:
    policy = files.publish(1)
    files.broken[part(policy)] = fault
    with pytest.raises((BadDownload, httpx.HTTPError)) as found:
        fetch(url, tmp_path, policy)
    assert ("were announced" if fault == "other bytes" else fault) in str(found.value)
    kept = everything(tmp_path)
    assert not {name for name in kept if not name.startswith("parts/")}
    assert all((tmp_path / name).stat().st_size == 0 for name in kept if name.endswith(".part"))
    files.broken.clear()
    assert (fetch(url, tmp_path, policy) / HEAD).is_file(), "and it can be fetched again"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_is_cut_goes_on_where_it_was(
    files: Files, url: str, tmp_path: Path, ranges: bool
) -> None:
    policy = files.publish(1)
    path = bone(policy)
    files.broken[path] = "cut"
    for _ in range(2):
        with pytest.raises((BadDownload, httpx.HTTPError)):
            fetch(url, tmp_path, policy)
    files.broken = {} if ranges else {path: "no ranges"}
    folder = fetch(url, tmp_path, policy)
    assert (folder / BACKBONE).read_bytes() == BONE
    half = len(BONE) // 2
    starts = [start for name, start in files.sent if name == path]
    assert starts == [0, half, half + (len(BONE) - half) // 2 if ranges else 0]


def test_a_beginning_that_a_power_cut_damaged_is_fetched_anew(
    files: Files, url: str, tmp_path: Path
) -> None:
    policy = files.publish(1)
    partial = VersionStore(tmp_path).partial(policy.manifest.head.files[0])
    partial.write_bytes(bytes(1000))
    with pytest.raises(BadDownload, match="were announced"):
        fetch(url, tmp_path, policy)
    assert (fetch(url, tmp_path, policy) / HEAD).read_bytes() == files.served[weights(policy)]


class Robot:
    """The link's side: what was offered, and to whom."""

    def __init__(self, url: str, store: Path) -> None:
        self.url, self.store = url, store
        self.offered: list[int] = []
        self.said: list[str] = []
        self.busy = 0  # offers that the ring has no room for
        self.actor = 1
        self.when_it_fails: Callable[[], None] = lambda: None
        self.take: Callable[[PolicyReady], bool] = lambda _: True

    def offer(self, ready: PolicyReady) -> bool:
        if self.busy:
            self.busy -= 1
            return False
        self.offered.append(ready.version)
        return self.take(ready)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)
        self.when_it_fails()

    def run(self, meanwhile: Callable[[Downloads], None], until: list[int]) -> None:
        """Run the downloads until these versions were offered; then nothing more comes."""

        async def go() -> None:
            async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
                downloads = Downloads(
                    client,
                    self.store,
                    TASK,
                    offer=self.offer,
                    acting=lambda: None,
                    actor=lambda: self.actor,
                    log=self.say,
                )
                running = asyncio.create_task(downloads.run())
                meanwhile(downloads)
                async with asyncio.timeout(PATIENCE_S):
                    while self.offered != until:
                        assert not running.done()
                        await asyncio.sleep(0.005)
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running

        asyncio.run(go())


@pytest.fixture
def robot(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Robot:
    monkeypatch.setattr(download, "_FIRST_BACKOFF_S", 0.02)
    monkeypatch.setattr(download, "_LOOK_S", 0.02)
    return Robot(url, tmp_path)


def nothing(_: Downloads) -> None:
    """The server is asked; nobody announces anything."""


def test_the_wanted_version_is_asked_for_until_the_server_answers(
    files: Files, robot: Robot
) -> None:
    policy = files.publish(3)
    wanted, broken = f"/api/policies/{TASK}/wanted", weights(policy)
    files.broken |= {wanted: "500", broken: "cut"}
    threading.Timer(0.3, files.broken.clear).start()
    robot.run(nothing, until=[3])
    assert files.asked.count(wanted) > 1
    assert files.asked.count(broken) >= 1


def test_another_task_and_what_was_rejected_are_not_fetched(files: Files, robot: Robot) -> None:
    files.served[f"/api/policies/{TASK}/wanted"] = b"null"
    good, other, bad = files.publish(1), files.publish(2), files.publish(3)
    files.served[f"/api/policies/{TASK}/wanted"] = b"null"

    def announce(downloads: Downloads) -> None:
        downloads.announce(good)
        manifest = other.manifest.model_copy(update={"task": "insert_peg"})
        downloads.announce(other.model_copy(update={"manifest": manifest}))
        downloads.announce(bad.model_copy(update={"status": PolicyStatus.REJECTED}))

    robot.run(announce, until=[1])
    assert weights(other) not in files.asked
    assert weights(bad) not in files.asked


def test_a_newer_version_does_not_wait_for_one_that_cannot_be_had(
    files: Files, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_FIRST_BACKOFF_S", 10 * PATIENCE_S)
    old, new = files.publish(1), files.publish(2)
    files.broken[weights(old)] = "404"

    def announce(downloads: Downloads) -> None:
        downloads.announce(old)
        robot.when_it_fails = lambda: downloads.announce(new)

    robot.run(announce, until=[2])
    assert len(robot.said) == 1
    assert "policy 1 cannot be fetched" in robot.said[0]


def test_a_version_that_was_tampered_with_is_fetched_once(files: Files, robot: Robot) -> None:
    """Another digest is fetched; the same one, announced again, is not."""
    bad, good = files.publish(1), files.publish(2)
    files.broken[weights(bad)] = "other bytes"

    def announce(downloads: Downloads) -> None:
        downloads.announce(bad)

        def failed() -> None:
            downloads.announce(bad)
            downloads.announce(good)

        robot.when_it_fails = failed

    robot.run(announce, until=[2])
    assert files.asked.count(weights(bad)) == 1
    (said,) = robot.said
    assert "policy 1 is refused" in said
    assert "not fetched again" in said


def test_an_offer_that_finds_no_room_is_made_again(files: Files, robot: Robot) -> None:
    files.publish(1)
    robot.busy = 2
    robot.run(nothing, until=[1])
    assert robot.busy == 0


def test_an_actor_that_was_started_again_is_offered_the_version_again(
    files: Files, robot: Robot
) -> None:
    files.publish(1)

    def dies(ready: PolicyReady) -> bool:
        robot.actor = 2
        return True

    robot.take = dies
    robot.run(nothing, until=[1, 1])
    files.asked.clear()
    robot.run(nothing, until=[1, 1, 1])
    assert weights(files.publish(1)) not in files.asked


def test_old_versions_go_but_those_that_acted_and_the_acting_one_stay(
    files: Files, url: str, tmp_path: Path
) -> None:
    policies = [files.publish(version) for version in range(1, KEPT + 4)]
    folders = [fetch(url, tmp_path, policy) for policy in policies]
    mark_acted(folders[0])
    store = VersionStore(tmp_path)
    store.prune(keep=(2, None))
    gone = [version for version, folder in enumerate(folders, 1) if not folder.exists()]
    assert gone == [3]
    held = [store.holds(policy.manifest.head.files[0]) for policy in policies]
    assert held == [version not in gone for version in range(1, KEPT + 4)]
    assert store.holds(policies[2].manifest.backbone.files[0]), "the others need it"


def test_what_was_downloaded_acts_from_the_next_step_on(
    files: Files, url: str, tmp_path: Path, seed: int
) -> None:
    rig = Rig(tmp_path, seed, max_steps=6)
    policy, contents = rig.make_version()
    files.serve(policy, contents)
    rig.start()
    rig.run(2)
    robot = Robot(url, rig.settings.policy_folder)
    robot.take = rig.take
    robot.run(nothing, until=[policy.version])
    rig.run(3)
    rig.end()
    versions = [step.policy_version for step in steps_of(rig.recorded())]
    assert versions == [0, 0, 0, policy.version, None]
    rig.outbox.close()


def test_lock_step_follows_what_is_wanted_when_it_is_asked_to(
    files: Files, robot: Robot, url: str
) -> None:
    """Nothing is offered in between, so that the instant does not depend on the network."""

    async def go() -> None:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            downloads = Downloads(
                client, robot.store, TASK, offer=robot.offer, acting=lambda: None,
                actor=lambda: robot.actor, log=robot.say,
            )  # fmt: skip
            await downloads.follow()  # the server does not know of any version
            assert (robot.offered, len(robot.said)) == ([], 1)
            files.publish(1)
            await downloads.follow()
            await downloads.follow()
            assert robot.offered == [1], "once is enough"
            files.publish(2)
            newest = files.publish(3)
            assert robot.offered == [1]
            files.broken[weights(newest)] = "cut"
            await downloads.follow()
            assert robot.offered == [1], "it is tried again at the next meeting"
            files.broken.clear()
            await downloads.follow()
            assert robot.offered == [1, 3]
            robot.actor = 2
            await downloads.follow()
            assert robot.offered == [1, 3, 3], "a new actor knows nothing"
            tampered = files.publish(4)
            files.broken[weights(tampered)] = "other bytes"
            for _ in range(3):
                await downloads.follow()
            assert files.asked.count(weights(tampered)) == 1
            assert robot.offered == [1, 3, 3]

    asyncio.run(go())
