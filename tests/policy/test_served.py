"""What a policy server loads, and that a robot gets from it what it would have got beside it."""

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from robot_rl.commands.checkup import starting_policy
from robot_rl.commands.policy_server import policy_server as command
from robot_rl.config import Task, load_task
from robot_rl.config.task import StartingPolicy
from robot_rl.errors import BadInput, PlainError
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.images import StoredImages
from robot_rl.policy.interface import BadObservation, Observation
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.remote import TOKEN, RemotePolicy
from robot_rl.policy.served import load_served, policy_sha256, task_to_serve
from robot_rl.policy.starting import load_starting_policy, starting_folder, write_untrained
from robot_rl.rehearsal.system import free_port
from robot_rl.schema.step import state_names
from safety.vocabulary import ONLY_ARM
from tests.policy.policy_servers import SECRET, policy_server
from tests.policy.tiny_lerobot import write_tiny

PLAIN = load_task("lift_cube")


def with_server(port: int, **policy: object) -> Task:
    """As the robot's task file says it."""
    section = {"server": f"ws://127.0.0.1:{port}", "folder": "", **policy}
    return PLAIN.model_copy(update={"policy": PLAIN.policy.model_copy(update=section)})


def moment() -> Observation:
    rng = np.random.default_rng(4)
    jpegs = {
        camera: simplejpeg.encode_jpeg(rng.integers(0, 255, (64, 64, 3), np.uint8), 90)
        for camera in PLAIN.cameras
    }
    names = state_names({ONLY_ARM: 7})
    return Observation(
        images=StoredImages(jpegs),
        jpegs=jpegs,
        state=rng.normal(size=len(names)),
        state_names=names,
        instruction=PLAIN.instruction,
        t_ns=1,
    )


def test_the_same_actions_as_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    write_untrained(tmp_path, PLAIN, 3)
    served = load_served(task_to_serve(with_server(1), str(tmp_path)))
    assert (served.serves.chunk, served.serves.cameras) == (1, PLAIN.cameras)
    local, seen = load_policy(tmp_path), moment()
    with policy_server(served.policy, served.serves) as port:
        remote = load_starting_policy(with_server(port))
        assert isinstance(remote, RemotePolicy)
        for seed in range(3):
            drawn = np.random.default_rng(int(np.random.default_rng(seed).integers(2**63 - 1)))
            there = remote.act(seen, np.random.default_rng(seed))
            np.testing.assert_array_equal(there.actions, local.act(seen, drawn).actions)
        fixed = local.act(seen, np.random.default_rng(0), deterministic=True)
        there = remote.act(seen, np.random.default_rng(0), deterministic=True)
        np.testing.assert_array_equal(there.actions, fixed.actions)
        broken = Observation(
            images=seen.images,
            jpegs=dict.fromkeys(PLAIN.cameras, b"no JPEG"),
            state=seen.state,
            state_names=seen.state_names,
            instruction="",
            t_ns=2,
        )
        with pytest.raises(BadObservation, match="not a readable JPEG"):
            remote.act(broken, np.random.default_rng(0))
        remote.close()


def test_another_policy_has_another_hash(tmp_path: Path) -> None:
    hashes: set[str] = set()
    for seed in (1, 2):
        write_untrained(tmp_path / "policy", PLAIN, seed)
        task = task_to_serve(PLAIN, str(tmp_path / "policy"))
        found = {load_served(task).serves.sha256 for _ in range(2)}
        assert len(found) == 1, "loaded again, it is the same"
        hashes |= found
    assert len(hashes) == 2


def test_so_has_one_whose_files_mapping_or_numbers_differ(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    folder = {"folder": str(tmp_path), "kind": "lerobot"}
    columns = ("dx", "dy", "dz", "gripper")

    def served(**keys: object) -> str:
        policy = StartingPolicy.model_validate({**folder, **keys})
        return policy_sha256(PLAIN.model_copy(update={"policy": policy}))

    found = [
        served(),
        served(action={"columns": columns, "gripper": "closes"}),
        served(action={"columns": columns}),
        served(dtype="bfloat16"),
        served(statistics=str(tmp_path / "config.json")),
    ]
    assert served() == found[0]
    for name in ("config.json", "policy_postprocessor.json", "model.safetensors"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes() + b" ")
        found.append(served())
    (tmp_path / "README.md").write_text("of no matter")
    assert served() == found[-1]
    assert len(set(found)) == len(found)


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(300)
def test_the_command_serves_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    write_untrained(tmp_path, PLAIN, 3)
    port = free_port()
    options = ("--task", "lift_cube", "--policy", str(tmp_path), "--port", str(port))
    command = [sys.executable, "-m", "robot_rl.cli", "policy-server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            assert f"for lift_cube on ws://127.0.0.1:{port}, 1 actions" in server.stdout.readline()
            remote = load_starting_policy(with_server(port))
            assert isinstance(remote, RemotePolicy)
            there = remote.act(moment(), np.random.default_rng(0), deterministic=True)
            here = load_policy(tmp_path).act(moment(), np.random.default_rng(0), deterministic=True)
            np.testing.assert_array_equal(there.actions, here.actions)
            (said,) = starting_policy(with_server(port))  # of `robot-rl doctor`
            assert said.state == "ok"
            assert said.text == f"ws://127.0.0.1:{port}, in use by the daemon on this PC"
            remote.close()
        finally:
            server.terminate()
        told = server.stdout.read()
    assert server.returncode == 0, told
    assert f"{socket.gethostname()} is served" in told


def test_a_policy_that_needs_another_camera_is_not_served(tmp_path: Path) -> None:
    write_untrained(tmp_path, PLAIN, 1)
    blind = PLAIN.model_copy(update={"cameras": PLAIN.cameras[:1]})
    with pytest.raises(BadCheckpoint, match=f"needs the camera {PLAIN.cameras[1]}, and the task"):
        load_served(task_to_serve(blind, str(tmp_path)))


def test_without_a_folder_nothing_is_found_by_chance() -> None:
    task = with_server(1)
    with pytest.raises(BadCheckpoint, match=r"give --policy .* or add policy\.folder"):
        task_to_serve(task, None)
    with pytest.raises(BadCheckpoint, match=r"runs on a policy server.*add policy\.folder"):
        starting_folder(task)


@pytest.mark.parametrize(
    ("token", "host", "sentence"),
    [
        ("", "127.0.0.1", f"{TOKEN} is not set, and a policy server answers nobody"),
        ("", "0.0.0.0", f"{TOKEN} is not set"),
        ("short", "0.0.0.0", "has 5 characters, and 0.0.0.0 can be reached"),
    ],
)
def test_nobody_is_served_without_a_token(
    token: str, host: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(PlainError, match=sentence):
        command(task="lift_cube", policy=None, host=host, port=1)


def test_a_robot_without_a_token_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    with pytest.raises(BadCheckpoint, match=f"{TOKEN} is not set"):
        load_starting_policy(with_server(1))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('server = "http://gpu:8430"', "such as ws://192.168.1.20:8430"),
        ('server = "ws://gpu"', "an address with its port"),
        ('server = "ws://gpu:port"', "an address with its port"),
        ('server = "ws://me:secret@gpu:8430"', "ROBOT_RL_POLICY_TOKEN holds it"),
        ('server = "ws://gpu:8430"\nserver_timeout_s = 60', "less than or equal to 10"),
        ('kind = "head"', "policy.folder is missing"),
    ],
)
def test_a_task_file_that_names_no_server_is_refused(
    line: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "task.toml"
    text = PLAIN.path.read_text()
    begin = text.index("[policy]")
    end = text.find("\n[", begin)
    path.write_text(f"{text[:begin]}[policy]\n{line}\n{text[end:] if end > 0 else ''}")
    with pytest.raises(BadInput, match=sentence):
        load_task(str(path))
