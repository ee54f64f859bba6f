"""The server as a process: killed and started again, stopped, and refused in one sentence."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from robot_rl.schema.ingest import BatchAck
from robot_rl.schema.segment import decode_segment
from robot_rl.server.database import Database
from robot_rl.server.process import listen, run
from robot_rl.server.settings import ServerProblem, ServerSettings
from tests.server.recordings import ROBOT, TASK, Recording, post

PROGRAM = """
import gc
import sys
from pathlib import Path
from robot_rl.server.database import Database
from robot_rl.server.process import listen, run
from robot_rl.server.settings import Grant, ServerSettings
url = sys.argv[4] if len(sys.argv) > 4 else None
grants = tuple(
    Grant(role=role, name=name, secret=role)
    for role, name in (("robot", sys.argv[3]), ("learner", "l"), ("operator", "o"))
)
run(
    ServerSettings(
        data=Path(sys.argv[1]), port=int(sys.argv[2]), grants=grants, database_url=url
    )
)
spared, looked_at = gc.get_freeze_count(), len(gc.get_objects())
assert spared > looked_at, f"a collection looks at {looked_at} objects and passes over {spared}"
heavy = [name for name in ("torch", "lerobot", "mujoco", "numba") if name in sys.modules]
assert not heavy, f"the server loaded {heavy}"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside of pytest's folder; see conftest.postgres."""
    with tempfile.TemporaryDirectory(prefix="robot-rl-") as name:
        yield Path(name)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server_process(folder: Path, port: int, *url: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder), str(port), ROBOT, *url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        until_up(process, port)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def until_up(process: subprocess.Popen[bytes], port: int) -> None:
    while True:
        assert process.poll() is None, f"the server ended with status {process.returncode}"
        with socket.socket() as probe:
            probe.settimeout(30)
            if probe.connect_ex(("127.0.0.1", port)) == 0:  # it answers when it has started
                probe.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert probe.recv(12) == b"HTTP/1.1 200"
                return
        time.sleep(0.05)


def client(port: int, role: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {role}"},
        timeout=30,
    )


def postgres_of(folder: Path) -> list[str]:
    """Command lines of the Postgres processes that run on the folder."""
    lines: list[str] = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            lines.append(file.read_text().replace("\0", " "))
    return [line for line in lines if str(folder / "postgres") in line]


@pytest.mark.fault
@pytest.mark.timeout(300)  # starts the server three times
def test_killed_between_batches_nothing_is_lost_or_doubled(folder: Path, port: int) -> None:
    recording = Recording()
    episodes = [recording.episode(7, human=(2, 3)) for _ in range(3)]
    batches = recording.batches(4)
    kills = {3}
    acknowledged = 0
    number = 0
    while number < len(batches):
        with server_process(folder, port) as process, client(port, "robot") as robot:
            answer = robot.get(
                "/api/ingest/cursor",
                params={"robot": ROBOT, "boot_epoch": str(recording.boot_epoch)},
            )
            assert BatchAck.model_validate_json(answer.content).last_sequence >= acknowledged
            while number < len(batches):
                answer = post(robot, batches[number])
                assert answer.status_code == 200, answer.text
                acknowledged = answer.json()["last_sequence"]
                if number in kills:
                    # As if the acknowledgement had been lost: the batch is sent again.
                    kills.remove(number)
                    process.kill()
                    process.wait(20)
                    break
                number += 1
    assert acknowledged == len(recording.rows)
    with server_process(folder, port), client(port, "learner") as learner:
        page = learner.get("/api/feed", params={"task": TASK}).json()["items"]
        assert [item["number"] for item in page] == list(range(1, len(page) + 1))
        events = [item["event"] for item in page]
        for episode_id in episodes:
            own = [event for event in events if event["episode_id"] == str(episode_id)]
            kinds = [event["kind"] for event in own if event["kind"] != "segment_stored"]
            assert kinds == ["episode_started", "intervention_ended", "episode_ended"]
            indices = [
                record.step.index
                for event in own
                if event["kind"] == "segment_stored"
                for record in decode_segment(
                    learner.get(f"/api/segments/{event['segment_id']}").content
                )
            ]
            assert indices == list(range(8))
    assert postgres_of(folder) == []


def test_stopping_closes_sockets(folder: Path, port: int, database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    with server_process(folder, port, url) as process, client(port, "operator") as person:
        headers = {"Authorization": "Bearer operator"}
        address = f"ws://127.0.0.1:{port}/api/live/robots/{ROBOT}"
        with connect(address, additional_headers=headers) as live:
            with connect(f"{address}/video", additional_headers=headers):
                assert person.get("/api/robots").json() == {"robots": []}
                process.send_signal(signal.SIGINT)
                assert process.wait(20) == 0
            live.close()
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"Open the console: http://127.0.0.1:")
    assert not (folder / "postgres").exists()


def test_a_port_in_use_is_one_sentence_and_starts_nothing(folder: Path, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        settings = ServerSettings(data=folder / "data", port=port)
        with pytest.raises(ServerProblem) as problem:
            run(settings)
    assert str(problem.value).startswith(f"cannot listen on 127.0.0.1:{port} (")
    assert not (folder / "data").exists()


def test_answers_do_not_wait_for_acknowledgements(port: int, tmp_path: Path) -> None:
    with listen(ServerSettings(data=tmp_path, port=port)) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # what asyncio asks for before TCP_NODELAY
