"""`robot-rl demo` ended by Ctrl-C in the middle of an episode: nothing runs on, nothing is lost."""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from pydantic import TypeAdapter
from sqlalchemy import select
from websockets.sync.client import connect

from robot_rl.commands.database import opened
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.live.client_message import StartEpisode
from robot_rl.schema.live.client_update import ClientUpdate
from robot_rl.schema.live.telemetry import EpisodeStatus, Telemetry
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep
from robot_rl.server.tables import SegmentTable

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]
_UPDATE: TypeAdapter[ClientUpdate] = TypeAdapter(ClientUpdate)
_STEPS = 12
_PATIENCE_S = 60.0


@pytest.fixture
def data() -> Iterator[Path]:
    """Not pytest's own: as root, Postgres runs as another user and must be able to enter it."""
    folder = Path(tempfile.mkdtemp(prefix="robot-rl-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def demo(data: Path) -> "subprocess.Popen[str]":
    """Started as a person would, with SIGINT ignored as shells do for what runs behind."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "robot_rl.cli", "demo", "--no-browser", "--no-learner"),
            *("--data", str(data), "--port", str(_free_port())),
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sign_in_link(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"open (http\S+)", line)
        if found:
            return found[1]
    raise AssertionError(f"the demo ended with {process.wait()}")


def record_an_episode(link: str, robot: str = "panda-sim") -> EpisodeStatus:
    """Sign in as a browser does, start an episode, and watch until some of it is recorded."""
    origin = link.partition("/login")[0]
    answer = httpx.get(link, follow_redirects=False, timeout=_PATIENCE_S)
    cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
    with connect(
        f"{origin.replace('http', 'ws', 1)}/api/live/robots/{robot}",
        additional_headers={"Cookie": cookie, "Origin": origin},
        open_timeout=_PATIENCE_S,
    ) as socket:
        asked = False
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            update = _UPDATE.validate_json(socket.recv(timeout=_PATIENCE_S))
            if not isinstance(update, Telemetry):
                continue
            episode = update.episode
            if episode.stage == "running" and episode.step >= _STEPS:
                return episode
            if not asked and episode.stage in ("ready", "confirm_reset"):
                asked = True
                request = StartEpisode(request_id=new_id(), echo_t_ns=update.t_ns)
                socket.send(request.model_dump_json())
    raise AssertionError("no episode was recorded")


def descendants(root: int) -> set[int]:
    """All processes that stem from `root`, itself too, by the parents the kernel names."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = set[int](), [root]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children.get(pid, [])
    return found


def of_folder(data: Path) -> set[int]:
    """Processes that name the data folder: what left the family, as a database server does."""
    named: set[int] = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(data).encode() in file.read_bytes():
                named.add(int(file.parent.name))
    return named


def runs(pid: int) -> bool:
    """A zombie has ended; whoever started it has not asked."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def kept_steps(data: Path, episode_id: UUID) -> set[int]:
    """Indices of the episode's steps, in the database or still in the robot's outbox."""
    kept: set[int] = set()
    with opened(data) as database, database.transaction() as connection:
        wanted = select(SegmentTable.first_index, SegmentTable.count).where(
            SegmentTable.episode_id == episode_id
        )
        for first, count in connection.execute(wanted):
            kept |= set(range(first, first + count))
    waiting = OutboxReader(data / "robot" / "outbox.sqlite").pending(0, 10_000)
    for row in () if waiting is None else waiting.rows:
        content = row.content
        if isinstance(content, RecordedStep) and content.step.episode_id == episode_id:
            kept.add(content.step.index)
    return kept


def test_ctrl_c_ends_all_of_it_and_keeps_what_was_recorded(data: Path) -> None:
    process = demo(data)
    family: set[int] = set()
    try:
        link = sign_in_link(process)
        episode = record_an_episode(link)
        family = descendants(process.pid) | of_folder(data)
        assert any(any(Path("/dev/shm").glob(f"robot-rl-{pid}-*")) for pid in family)
        assert len(family) >= 8, "demo, server, Postgres, daemon and its processes"
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert "stopped; the recorded data is in" in process.stdout.read()
        assert process.wait(_PATIENCE_S) == 0
    finally:
        process.kill()
        process.communicate()
    assert not [pid for pid in family | of_folder(data) if runs(pid)]
    assert not [pid for pid in family if any(Path("/dev/shm").glob(f"robot-rl-{pid}-*"))]
    assert episode.episode_id is not None
    kept = kept_steps(data, episode.episode_id)
    assert kept == set(range(len(kept))), "a step is missing in between"
    assert len(kept) >= episode.step
