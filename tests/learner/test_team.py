"""Two processes that train one policy, over gloo on this machine."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from robot_rl.config.document import CHECKOUT, load_task
from robot_rl.config.risk import ConstraintSection, RiskSection
from robot_rl.errors import BadInput
from robot_rl.learner import team
from robot_rl.learner.algorithm import not_finite
from robot_rl.learner.checkpoint import read_position
from robot_rl.learner.process import run
from robot_rl.learner.replay import CPU
from robot_rl.learner.saved_state import STATE
from robot_rl.learner.settings import LearnerSettings, Place
from robot_rl.learner.team import Alone
from tests.learner.team_process import NAMES, train

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
