"""Two processes that train one policy, over gloo on this machine."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed

from robot_rl.config.compute import ComputeSection
from robot_rl.config.document import CHECKOUT, load_task
from robot_rl.config.risk import ConstraintSection, RiskSection
from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.learner import learner as learner_module
from robot_rl.learner import process, team
from robot_rl.learner.algorithm import Losses, not_finite
from robot_rl.learner.checkpoint import read_position
from robot_rl.learner.feed import ServerClient, Stopped
from robot_rl.learner.learner import Learner
from robot_rl.learner.process import run
from robot_rl.learner.replay import CPU
from robot_rl.learner.saved_state import STATE
from robot_rl.learner.settings import LearnerSettings, Place
from robot_rl.learner.team import Alone, TeamLost
from tests.learner.lab import Lab
from tests.learner.team_process import NAMES, train
from tests.learner.test_process import session

LOST = "another process of this learner has ended or cannot be reached; what the first one saved"
WAIT_S = 300  # on a machine that does other things

pytestmark = pytest.mark.timeout(2 * WAIT_S + 60)


def two_processes(mode: str, folder: Path) -> list[tuple[int, str]]:
    """Exit code, and what it said, of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.learner.team_process", mode, str(rank), str(folder)],
            cwd=CHECKOUT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [each.communicate(timeout=WAIT_S)[1] for each in started]
    finally:
        for each in started:
            each.kill()
            each.wait()
    return [(each.returncode, text) for each, text in zip(started, said, strict=True)]


def test_two_learn_what_one_learns(tmp_path: Path) -> None:
    """Losses within a part in 10 000, weights within 1e-5, and the same to the last bit in both."""
    ended = two_processes("train", tmp_path)
    assert [code for code, _ in ended] == [0, 0], ended
    for name in NAMES:
        alone, said = train(name, Alone())
        together = json.loads((tmp_path / f"{name}.json").read_text())
        assert len(together) == len(said)
        for one, two in zip(said, together, strict=True):
            assert two == pytest.approx(one, rel=1e-4, abs=1e-6), name
        first, other = (load_file(tmp_path / f"{name}.{rank}.safetensors") for rank in range(2))
        assert first.keys() == other.keys() == alone.state().keys()
        for key, value in alone.state().items():
            assert torch.equal(first[key], other[key]), (name, key)
            torch.testing.assert_close(first[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.fault
@pytest.mark.parametrize("dies", [0, 1])
def test_when_one_dies_the_other_says_so_and_the_state_is_whole(dies: int, tmp_path: Path) -> None:
    ended = two_processes(str(dies), tmp_path)
    assert ended[dies][0] == 9
    code, said = ended[1 - dies]
    assert code == 75, said
    assert LOST in said
    assert "Traceback" not in said
    state = tmp_path / "lift_cube" / STATE
    position = read_position(state)
    assert position is not None
    assert position.version is not None, "there is one to go on with"
    assert not_finite(load_file(state)) == ""


def test_a_batch_that_cannot_be_divided_is_one_sentence() -> None:
    with pytest.raises(BadInput, match=r"learner\.batch is 16, which 3 processes cannot divide"):
        team.join(Place(rank=0, processes=3), 16, CPU)


def test_orders_may_be_far_apart_and_tensors_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of which the GPU waits for nothing that comes is noticed in minutes."""
    made: dict[str, timedelta] = {}

    def group(backend: str, *, timeout: timedelta, **_given: int) -> None:
        made[backend] = timeout

    monkeypatch.setattr(distributed, "init_process_group", group)
    monkeypatch.setattr(distributed, "new_group", group)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _device: None)
    team.join(Place(rank=0, processes=2), 16, torch.device("cuda:0"))
    assert made["gloo"] >= timedelta(hours=10)
    assert made["cpu:gloo,cuda:nccl"] <= timedelta(minutes=30)


class Lost(Alone):
    def alive(self) -> None:
        raise TeamLost("another process has ended")


def test_the_others_are_asked_before_the_device_is(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may wait for the sums of one that has ended."""
    read: list[str] = []

    def prepare(learner: Learner) -> None:
        learner._team = Lost()
        monkeypatch.setattr(learner._readings, "take", lambda: read.append("losses") or ())

    with pytest.raises(TeamLost):
        session(Lab(), task, tmp_path, lambda *_: True, prepare=prepare)
    assert read == []


class Watched(Alone):
    """Counts how often the others begin from the first one's state."""

    begun = 0

    def begin(self, *_given: object, **_named: object) -> None:
        self.begun += 1


def test_the_others_go_back_too_before_the_next_batch(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first step, where a report is what reads that losses are not finite."""
    monkeypatch.setattr(learner_module, "TELL_EVERY_S", 0.0)
    compute = ComputeSection(read_updates=50)
    wanting = task.model_copy(
        update={"learner": task.learner.model_copy(update={"compute": compute})}
    )
    watched, known = Watched(), list[tuple[int, int]]()

    def prepare(learner: Learner) -> None:
        learner._team = watched

        def offline(*_given: object) -> Iterator[Losses]:
            for batch in range(4):
                known.append((watched.begun, learner._good.went_back))
                yield {"clone": torch.tensor(torch.nan if batch == 1 else 0.5)}

        monkeypatch.setattr(learner.algorithm, "offline", offline)

    session(Lab(), wanting, tmp_path, lambda *_: len(known) == 4, prepare=prepare)
    assert known == [(1, 0), (1, 0), (2, 1), (2, 1)]


def test_others_hear_the_end_of_one_that_never_met_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_client: ServerClient) -> None:
        raise Stopped

    monkeypatch.setattr(ServerClient, "check_protocol", stopped)
    settings = LearnerSettings(
        task=load_task("lift_cube"),
        server_url="http://lab",
        token="secret",
        data_folder=tmp_path,
        place=Place(rank=0, processes=2),
    )
    ended: list[str] = []
    others = Alone()
    others.end = lambda: ended.append("once")
    process._run_first(settings, threading.Event(), others)
    assert ended == ["once"]


def test_a_constraint_on_risk_is_for_one_process(tmp_path: Path) -> None:
    risk = RiskSection(constraint=ConstraintSection(limit=0.1))
    settings = LearnerSettings(
        task=load_task("lift_cube").model_copy(update={"risk": risk}),
        server_url="http://lab",
        token="secret",
        data_folder=tmp_path,
        place=Place(rank=0, processes=2),
    )
    with pytest.raises(BadInput, match=r"\[risk\.constraint\] .* works in one process only"):
        run(settings)


def test_what_torchrun_says() -> None:
    assert Place.of_torchrun({}) == Place()
    assert Place.of_torchrun({"WORLD_SIZE": "1"}) == Place()
    given = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    assert Place.of_torchrun(given) == Place(rank=3, processes=4, local_rank=1)
    with pytest.raises(BadInput, match="start the learner with torchrun, or unset WORLD_SIZE"):
        Place.of_torchrun({"WORLD_SIZE": "4"})
