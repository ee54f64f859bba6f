"""The command line as a person meets it: every mistake is one plain sentence, nothing stays behind.

Every call is a process of its own, as in a shell.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from robot_rl.cli import app
from robot_rl.commands.problems import plain
from robot_rl.errors import PlainError
from robot_rl.policy.folder import write_manifest
from robot_rl.policy.manifest import (
    CheckpointManifest,
    KeypointBackbone,
    KeypointSettings,
    StoredFile,
)
from robot_rl.rehearsal import system
from safety.limits import LimitError

ROOT = Path(__file__).resolve().parents[1]
NO_GL = {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent"}
NOBODY = "postgresql://nobody@127.0.0.1:1/x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    said: str  # stderr


def run(*arguments: str | Path, **environment: str) -> Ended:
    """Run `robot-rl …` to its end, and see that it leaves nothing running."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key != "DATABASE_URL" and not key.startswith("ROBOT_RL_")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "robot_rl.cli", *map(str, arguments)],
        cwd=ROOT,
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=100)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert not list(Path("/dev/shm").glob(f"robot-rl-{process.pid}-*"))
    return Ended(code=process.returncode, out=out, said=said)


def refused(ended: Ended, *words: str) -> None:
    """It ended with one plain sentence, in which these words occur, and a code that is not 0."""
    assert ended.code == 2, ended
    assert "Traceback" not in ended.said + ended.out
    lines = ended.said.strip().splitlines()
    assert len(lines) == 1, ended.said
    assert lines[0].startswith("robot-rl: ")
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """lift_cube with a starting policy of its own: whole, as far as a look at its hashes tells."""
    text = (ROOT / "tasks/lift_cube.toml").read_text()
    assert 'folder = "lift_cube"' in text
    path = tmp_path / "lift_cube.toml"
    path.write_text(text.replace('folder = "lift_cube"', 'folder = "policy"'))
    folder = tmp_path / "policy"
    folder.mkdir()
    files = {"head": b"head", "backbone": b"backbone"}
    for name, content in files.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    described = {
        name: StoredFile(
            name=f"{name}.safetensors",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
        )
        for name, content in files.items()
    }
    settings = KeypointSettings(cameras=("front", "wrist"))
    manifest = CheckpointManifest(
        task="lift_cube",
        instruction="lift",
        algorithm="test",
        backbone=KeypointBackbone(settings=settings, file=described["backbone"]),
        head=described["head"],
    )
    write_manifest(folder, manifest)
    return path


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def edited(path: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of a cell or task file with one thing changed."""
    text = path.read_text()
    assert text.count(old) == 1
    copy = folder / f"edited_{path.name}"
    copy.write_text(text.replace(old, new))
    return copy


# --- Cell and task files --------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["demo", "rehearse"])
def test_a_task_that_does_not_exist(command: str) -> None:
    refused(run(command, "--task", "nope"), "'nope'", "lift_cube", "insert_peg")


def test_a_cell_that_does_not_exist(task: Path) -> None:
    ended = run("daemon", "--cell", "nowhere/a.toml", "--task", task)
    refused(ended, "nowhere/a.toml", "no such file", "simulation")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("max_steps = 100", "max_stepz = 100", ("max_stepz", "not a known key")),
        ("max_steps = 100", "max_steps = 1", ("max_steps", "= 1", "greater than or equal to 5")),
        ("max_steps = 100", "max_steps = = 1", ("not valid TOML", "line")),
        ('cameras = ["front", "wrist"]', 'cameras = ["top"]', ("'top'", "front, wrist")),
        ("[0.42, 0.0, 0.22]", "[0.42, 0.0, 2.2]", ("home_position_m", "2.2 m on z", "0.45")),
    ],
)
def test_a_wrong_task_file(
    task: Path, tmp_path: Path, old: str, new: str, words: tuple[str, ...]
) -> None:
    path = edited(task, tmp_path, old, new)
    refused(run("rehearse", "--task", path), *words)


@pytest.mark.parametrize(
    ("one", "other"),
    [("--steps", "--robot-minutes"), ("--evaluate-every-steps", "--evaluate-every")],
)
def test_a_rehearsal_is_measured_in_one_way(one: str, other: str) -> None:
    refused(run("rehearse", one, "9", other, "9"), one, other, "give one of them")


def test_a_classifier_is_trained_from_enough_episodes_and_its_word_is_the_only_one() -> None:
    refused(run("rehearse", "--classifier-episodes", "5"), "13 episodes have to succeed", "26 or")
    ended = run("rehearse", "--classifier-episodes", "30", "--reward", "simulator")
    refused(ended, "--classifier-episodes 30", "--reward simulator", "leave one of them out")


def test_a_task_that_leaves_no_room(task: Path) -> None:
    task.write_text(task.read_text() + "\n[limits]\nworkspace_min_m = [0.7, 0.0, 0.0]\n")
    refused(run("demo", "--task", task), "on x", "0.25 to 0.6 m", "workspace_min_m")


def test_a_cell_whose_force_is_not_what_it_states(task: Path, tmp_path: Path) -> None:
    path = edited(ROOT / "cells/simulation.toml", tmp_path, "[2000, 2000, 2000]", "[9000, 1, 1]")
    refused(run("demo", "--cell", path, "--task", task), "180 N on x", "40 N", "stiffness_n_m")


# --- The starting policy --------------------------------------------------------------------------


def test_no_starting_policy(task: Path) -> None:
    shutil.rmtree(task.parent / "policy")
    refused(run("demo", "--task", task), "no starting policy", "robot-rl clone", "policy.folder")


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("head.safetensors", b"broken", ("head.safetensors", "SHA-256", "copy the policy again")),
        ("manifest.json", b"{", ("manifest.json", "damaged", "robot-rl clone")),
        ("backbone.safetensors", None, ("backbone.safetensors", "missing")),
    ],
)
def test_a_damaged_policy(
    task: Path, file: str, content: bytes | None, words: tuple[str, ...]
) -> None:
    path = task.parent / "policy" / file
    path.unlink() if content is None else path.write_bytes(content)
    refused(run("learner", "--task", task, ROBOT_RL_TOKEN="x"), *words)


def test_no_demonstrations(tmp_path: Path) -> None:
    ended = run("clone", "--task", "lift_cube", "--demos", tmp_path, "--out", tmp_path / "out")
    refused(ended, "no demonstrations of lift_cube", "--demonstrations 30")
    assert not (tmp_path / "out").exists()


# --- Other parts ----------------------------------------------------------------------------------


def test_no_token(task: Path, tmp_path: Path) -> None:
    ended = run("daemon", "--cell", "simulation", "--task", task, "--data", tmp_path / "robot")
    refused(ended, "ROBOT_RL_TOKEN is not set", "ROBOT_RL_ROBOT_TOKEN")
    assert not (tmp_path / "robot").exists()
    ended = run("learner", "--task", task)
    refused(ended, "ROBOT_RL_TOKEN is not set", "ROBOT_RL_LEARNER_TOKEN")


def test_a_learner_without_a_server(task: Path) -> None:
    url = "http://127.0.0.1:1"
    ended = run("learner", "--task", task, "--server", url, "--wait", "0", ROBOT_RL_TOKEN="x")
    refused(ended, f"no robot-rl server at {url}", "Connection refused", "robot-rl server")


def test_an_address_that_is_none(task: Path) -> None:
    ended = run("learner", "--task", task, "--server", "lab:8420", ROBOT_RL_TOKEN="x")
    refused(ended, "lab:8420", "http://")
    ended = run(
        *("daemon", "--cell", "simulation", "--task", task, "--server", "lab:8420"),
        ROBOT_RL_TOKEN="x",
    )
    refused(ended, "lab:8420", "http://")


def test_a_port_in_use(taken_port: int, task: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for command in (("server",), ("demo", "--task", task)):
        ended = run(*command, "--port", str(taken_port), "--data", data)
        refused(ended, str(taken_port), "in use", "--port")
    assert not data.exists()


def test_a_host_that_others_can_reach() -> None:
    refused(run("server", "--host", "0.0.0.0"), "0.0.0.0", "with TLS only", "--host 127.0.0.1")


# --- The machine ----------------------------------------------------------------------------------


def test_no_gl(task: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    refused(run("demo", "--task", task, "--data", data, **NO_GL), "cannot draw", "libegl1")
    assert not data.exists()


def test_doctor_says_what_is_wrong(task: Path) -> None:
    ended = run("doctor", "--cell", "simulation", "--task", task, "--json", **NO_GL)
    assert ended.code == 2
    assert "Traceback" not in ended.said
    findings = {item["name"]: item for item in json.loads(ended.out)["findings"]}
    assert findings["graphics"]["state"] == "problem"
    assert "libegl1" in findings["graphics"]["mend"]
    assert findings["starting policy"]["state"] == "ok"
    limits = findings["simulation, lift_cube"]["text"]
    assert "force at rest ≤ 40 / 40 / 40 N" in limits
    assert "torque at rest ≤ 15 / 15 / 15 Nm" in limits
    for item in findings.values():
        assert bool(item["mend"]) == (item["state"] != "ok"), item


def test_doctor_looks_for_the_cameras_that_a_cell_names(tmp_path: Path) -> None:
    cell = tmp_path / "cell.toml"
    cell.write_text(
        (ROOT / "cells" / "simulation.toml").read_text()
        + '[cameras.side]\ndriver = "webcam"\ndevice = "/dev/video99"\n'
        + '[cameras.back]\ndriver = "realsense"\nserial = "000000000000"\n'
    )
    ended = run("doctor", "--cell", cell, "--json")
    findings = {item["name"]: item for item in json.loads(ended.out)["findings"]}
    assert findings["camera side"]["text"].startswith("/dev/video99 is not there (attached: ")
    assert "serial number 000000000000" in findings["camera back"]["text"]
    assert findings["camera back"]["state"] == "problem"
    assert "USB 3" in findings["camera back"]["text"]
    assert "plug it in" in findings["camera back"]["mend"]


def test_a_data_folder_that_cannot_be_made(task: Path) -> None:
    refused(run("demo", "--task", task, "--data", "/proc/nope"), "/proc/nope", "cannot be made")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6)  # type: ignore[attr-defined]
    monkeypatch.setattr(system.shutil, "disk_usage", lambda _: full)
    settings = system.SystemSettings(cell="simulation", task="lift_cube", data=tmp_path, port=0)
    with pytest.raises(system.SystemProblem, match="500 MB are needed: free some space"):
        system.System(settings).start()
    assert list(tmp_path.iterdir()) == []


def test_what_is_a_persons_problem_and_what_a_defect() -> None:
    full = plain(OSError(28, "No space left on device", "/data/x"))
    assert full is not None
    assert str(full).startswith("/data/x: the disk is full: free some space")
    limit = plain(LimitError("speed_m_s is -1.0; it must be greater than 0."))
    assert limit is not None
    assert "speed_m_s is -1.0" in str(limit)
    known = PlainError("the port is in use")
    assert plain(known) is known
    for defect in (ValueError("x"), OSError(5, "Input/output error"), KeyError("x")):
        assert plain(defect) is None


# --- The database ---------------------------------------------------------------------------------


def test_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    ended = run("server", "--port", port, "--data", tmp_path / "data", DATABASE_URL=NOBODY)
    refused(ended, "127.0.0.1:1/x", "cannot be reached", "DATABASE_URL")
    refused(run("db", "check", DATABASE_URL=NOBODY), "cannot be reached")
    refused(run("db", "check", DATABASE_URL="mysql://a/b"), "mysql", "PostgreSQL")
    refused(run("db", "check", DATABASE_URL="::"), "not a URL")


def test_a_folder_without_a_database(tmp_path: Path) -> None:
    for command in (("db", "check"), ("episodes", "list"), ("policies", "list")):
        refused(run(*command, "--data", tmp_path), str(tmp_path), "no database", "--data")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def data() -> Iterator[Path]:
    """Not in pytest's own folder: run as root, Postgres has another user, who may not go there."""
    folder = Path(tempfile.mkdtemp(prefix="robot-rl-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_database_at_another_schema(data: Path) -> None:
    from sqlalchemy import text

    from robot_rl.server.database import open_database
    from robot_rl.server.settings import ServerSettings

    database = open_database(ServerSettings(data=data))  # held, so that the commands join it
    try:
        url = database.dsn
        refused(run("db", "check", DATABASE_URL=url), "no robot-rl tables", "db upgrade")
        refused(run("server", "--port", "8499", DATABASE_URL=url), "db upgrade")
        assert run("db", "upgrade", DATABASE_URL=url).code == 0
        told = run("db", "check", "--json", DATABASE_URL=url)
        assert json.loads(told.out)["embedded"] is False
        listed = run("episodes", "list", "--data", data, "--json")
        assert json.loads(listed.out)["counts"]["total"] == 0
        refused(run("episodes", "show", "12", "--data", data), "'12'", "episodes list")
        with database.transaction() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        refused(run("db", "check", DATABASE_URL=url), "9999", "newer robot-rl")
        refused(run("server", "--port", "8499", "--data", data), "9999", "newer robot-rl")
    finally:
        database.close()
    assert not (data / "postgres" / "postmaster.pid").exists()


# --- Help -----------------------------------------------------------------------------------------


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [(name,)] if inner is None else [(name, each) for each in inner]
    return found


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_every_command_shows_an_example(command: tuple[str, ...]) -> None:
    node = get_command(app)
    for name in command:
        node = node.commands[name]  # type: ignore[attr-defined]
    assert node.help is not None
    assert f"robot-rl {' '.join(command)}" in node.help


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys, robot_rl.cli; print(*({'numpy', 'torch', 'lerobot', 'mujoco', 'numba', "
        "'sqlalchemy', 'fastapi', 'pydantic', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done


def test_benchmarks_are_named() -> None:
    refused(run("bench", "nope"), "'nope'", "control", "outbox", "replay", "learner", "startup")
    names = run("bench", "list").out.split()
    assert names == [
        *("control", "correction", "crash", "faults", "fuzz", "ingest", "kills", "learner"),
        *("limit_profile", "lockstep", "memory", "outbox", "policy", "policy_server", "query"),
        *("replay", "restart", "risk", "startup", "stop", "takeover"),
    ]
