"""A cell that differs from the one in which the starting policy was shown the task."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from robot_rl.config import BadConfig, check_fit, load_cell, load_task
from robot_rl.config.document import CHECKOUT, read_toml
from robot_rl.daemon.devices.launch import drawn_scene
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.rehearsal.report import RehearsalReport
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.schema.step import Step
from safety.vocabulary import Source
from tests.rehearsal.test_habits import presses
from tests.rehearsal.test_two_robots import recorded


def task_with(folder: Path, name: str = "lift_cube", **simulation: Any) -> Path:
    source = CHECKOUT / "tasks" / f"{name}.toml"
    file = folder / "tasks" / f"{name}.toml"
    write_task(file, merged(read_toml(source), {"simulation": simulation}), source)
    return file


def shown(folder: Path, **simulation: Any) -> tuple[RehearsalReport, list[Step]]:
    """One demonstration, without a learner."""
    settings = RehearsalSettings(
        cell="simulation",
        task=os.fspath(task_with(folder, **simulation)),
        demonstrations=1,
        episodes=0,
        evaluations=0,
        learner=False,
        seed=3,
    )
    report = rehearse(settings, folder, quiet=True)
    return report, [step for step in recorded(folder) if step.source is Source.HUMAN]


def largest(steps: list[Step]) -> float:
    """Of what the person's axes asked for, in shares of a whole action."""
    return max(abs(value) for step in steps for value in (step.commanded_action or (0.0,))[:3])


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(300)
def test_over_a_slow_line_the_robot_drives_at_half_speed() -> None:
    """By its own rule for old commands. The gripper's key is held as long as it takes."""
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        quick_report, quick = shown(Path(folder) / "quick")
        slow_report, slow = shown(Path(folder) / "slow", link_delay_s=[0.15, 0.15])
    assert quick_report.problems() == slow_report.problems() == []
    assert largest(quick) == pytest.approx(1.0, abs=0.02)
    assert largest(slow) <= 0.55
    assert len(slow) > len(quick)
    assert min(presses(quick)) > 3
    assert min(presses(slow)) > 3


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(300)
def test_rehearsals_over_a_line_of_changing_delay_repeat() -> None:
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        first, steps = shown(Path(folder) / "one", link_delay_s=[0.02, 0.15])
        second, _ = shown(Path(folder) / "two", link_delay_s=[0.02, 0.15])
    assert first.steps_sha256 == second.steps_sha256
    assert len(steps) > 20


def test_what_differs_reaches_who_draws(tmp_path: Path) -> None:
    file = task_with(tmp_path, cameras_moved_m=[0.02, 0.0, -0.01], light=[0.6, 0.6, 0.5])
    for task, wanted in (
        (os.fspath(file), ((0.02, 0.0, -0.01), (0.6, 0.6, 0.5))),
        ("lift_cube", ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))),
    ):
        settings = DaemonSettings(
            cell=load_cell("simulation"), task=load_task(task), data_folder=tmp_path
        )
        scene = drawn_scene(settings).scene
        assert scene is not None
        assert (scene.cameras_moved_m, scene.light) == wanted


@pytest.mark.parametrize(
    ("simulation", "sentence"),
    [
        ({"cameras_moved_m": [0.5, 0.0, 0.0]}, "simulation.cameras_moved_m.0 = 0.5"),
        ({"light": [0.0, 1.0, 1.0]}, "simulation.light.0 = 0"),
        ({"link_delay_s": [-0.1, 0.1]}, "simulation.link_delay_s.0 = -0.1"),
        (
            {"link_delay_s": [0.02, 0.26]},
            "at most 0.25 s is allowed: the robot",
        ),
        ({"link_delay_s": [0.15, 0.02]}, "write the smaller one first"),
    ],
)
def test_what_no_cell_can_be(tmp_path: Path, simulation: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadConfig) as refused:
        load_task(os.fspath(task_with(tmp_path, **simulation)))
    assert sentence in str(refused.value)


def test_a_delay_in_lock_step_is_whole_control_periods(tmp_path: Path) -> None:
    task = load_task(os.fspath(task_with(tmp_path, link_delay_s=[0.021, 0.15])))
    cell = load_cell("simulation")
    with pytest.raises(ValueError, match=r"simulation.link_delay_s is 0.021 s.*0.005 s"):
        DaemonSettings(cell=cell, task=task, data_folder=tmp_path, lockstep=True)
    settings = DaemonSettings(cell=cell, task=task, data_folder=tmp_path)
    assert settings.link_delay_ns == (21_000_000, 150_000_000), "real time takes it"


def test_a_simulation_that_draws_as_it_likes_is_not_asked_to_move_its_cameras(
    tmp_path: Path,
) -> None:
    cell = load_cell("gym_pick_cube")
    moved = task_with(tmp_path, "gym_pick_cube", cameras_moved_m=[0.02, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"cameras_moved_m.*that of the cell gym_pick_cube cannot"):
        check_fit(cell, load_task(os.fspath(moved)))
    check_fit(cell, load_task("gym_pick_cube"))
