"""A task that nobody here wrote, gym-hil's PandaPickCube, through the whole system."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from robot_rl.rehearsal.expert import View
from robot_rl.rehearsal.gym_pick_cube import GymPickCubeExpert
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from tests.rehearsal.short_task import short_task

DOWN = np.array([0.0, 1.0, 0.0, 0.0])
OPEN_M = 0.085
EXPERT = GymPickCubeExpert.of((0.025, 0.025, 0.025, 0.0, 0.0, 0.0))


def view(tcp: tuple[float, float, float], cube_z: float = 0.02, gripper_m: float = OPEN_M) -> View:
    return View(
        t_s=0.0,
        tcp_position_m=np.array(tcp),
        tcp_quaternion=DOWN,
        gripper_m=gripper_m,
        objects={"cube": (np.array([0.4, 0.1, cube_z]), DOWN)},
        success=False,
        progress=0.0,
    )


def test_the_expert_goes_above_then_down_then_closes_then_lifts() -> None:
    aside = EXPERT.advise(view((0.5, 0.0, 0.08)))
    assert (np.sign(aside.axes[:3]).tolist(), aside.gripper) == ([-1.0, 1.0, 1.0], 0)
    above = EXPERT.advise(view((0.4, 0.1, 0.12)))
    assert above.axes[2] == -1.0
    around = EXPERT.advise(view((0.4, 0.1, 0.03)))
    assert (around.axes.tolist(), around.gripper) == ([0.0] * 6, -1)
    closed = EXPERT.advise(view((0.4, 0.1, 0.03), gripper_m=0.0))
    assert (closed.axes[2], closed.gripper) == (1.0, 0)
    lost = EXPERT.advise(view((0.5, 0.0, 0.2), gripper_m=0.0))
    assert lost.gripper == 1, "a closed gripper that holds nothing is opened"


def test_a_cube_in_the_air_is_nearer_to_done() -> None:
    assert EXPERT.distance(view((0.4, 0.1, 0.15), cube_z=0.1)) < EXPERT.distance(
        view((0.4, 0.1, 0.02))
    )


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(900)
def test_two_rehearsals_of_it_are_whole_and_equal() -> None:
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        settings = RehearsalSettings(
            cell="gym_pick_cube",
            task=os.fspath(short_task(Path(folder), "gym_pick_cube")),
            episodes=1,
            evaluations=1,
            demonstrations=1,
            reaction_s=0.0,
            noise=0.0,
            seed=3,
        )
        first = rehearse(settings, Path(folder) / "one", quiet=True)
        second = rehearse(settings, Path(folder) / "two", quiet=True)
    assert first.episodes == 4
    assert first.steps_recorded == first.steps_stored > 4 * 10
    assert first.steps_trainable == first.steps_available > 0
    assert first.demonstrated.successes == 1
    assert first.problems() == []
    assert first.refused == {}
    assert second.steps_sha256 == first.steps_sha256
