"""Cells and tasks with several arms: each has its sections, and the two files name the same."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from hardware.sim import driver
from robot_rl.config import check_fit, drivers, load_cell, load_task
from robot_rl.config.document import CHECKOUT, BadConfig
from robot_rl.daemon.control.settings import control_settings
from robot_rl.schema.step import state_names
from safety.vocabulary import ONLY_ARM

CELL = (CHECKOUT / "cells" / "simulation.toml").read_text()
TASK = (CHECKOUT / "tasks" / "lift_cube.toml").read_text()


@pytest.fixture(autouse=True)
def real_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver `bench_arm`: as the simulated one describes it, but real."""
    find = drivers.find
    bench = SimpleNamespace(
        settings=driver.ARM.settings,
        describe=lambda given: replace(driver.ARM.describe(given), simulation=None),
    )

    def found(group: str, name: str) -> object:
        return bench if (group, name) == (drivers.ARMS, "bench_arm") else find(group, name)

    monkeypatch.setattr(drivers, "find", found)


def part(text: str, begin: str, end: str) -> str:
    return text[text.index(begin) : text.index(end)]


def two_arm_cell(driver: str = "bench_arm") -> str:
    """The simulated cell's arm twice, as `left` and `right`, without cameras."""
    own = part(CELL, "[arm]", "[control]").replace("simulated_panda", driver)
    text = CELL[: CELL.index("[arm]")]
    for name in ("left", "right"):
        of_arm = own.replace("[arm]", f"[arms.{name}]")
        for section in ("limits", "impedance", "collision"):
            of_arm = of_arm.replace(f"[{section}", f"[arms.{name}.{section}")
        text += of_arm
    return text


def two_arm_task(acting: str = '["left", "right"]') -> str:
    text = TASK.replace('cameras = ["front", "wrist"]', "cameras = []")
    text = text.replace("[action]", f"[action]\narms = {acting}")
    home = next(line for line in TASK.splitlines() if line.startswith("home_position_m"))
    text = text.replace(home, "").replace('gripper = "open"\n', "")
    for name in ("left", "right"):
        text += f"\n[arms.{name}]\n{home}\n"
    return text


def load(folder: Path, cell: str, task: str):
    (folder / "cell.toml").write_text(cell)
    (folder / "task.toml").write_text(task)
    return load_cell(str(folder / "cell.toml")), load_task(str(folder / "task.toml"))


def test_each_arm_has_its_limits_its_start_and_its_columns(tmp_path: Path) -> None:
    slow = "\n[arms.right.limits]\nspeed_m_s = 0.1\n"
    cell, task = load(tmp_path, two_arm_cell(), two_arm_task() + slow)
    check_fit(cell, task)
    settings = control_settings(cell, task)
    left, right = settings.arms
    assert (left.name, right.name) == ("left", "right")
    assert left.limits.cartesian.speed_m_s == 0.5
    assert right.limits.cartesian.speed_m_s == 0.1
    assert settings.grid.columns == task.action.size == 14
    assert left.columns is not None
    assert right.columns is not None
    assert (left.columns.pose, left.columns.gripper) == (slice(0, 6), 6)
    assert (right.columns.pose, right.columns.gripper) == (slice(7, 13), 13)
    assert task.action.names[7] == "right_dx"
    assert task.grippers_at_start == (1.0, 1.0)
    assert state_names(cell.joints)[34] == "right_tcp_position_x_m"


def test_an_arm_that_the_task_does_not_move_has_no_columns(tmp_path: Path) -> None:
    cell, task = load(tmp_path, two_arm_cell(), two_arm_task('["right"]'))
    check_fit(cell, task)
    left, right = control_settings(cell, task).arms
    assert left.columns is None
    assert right.columns is not None
    assert right.columns.pose == slice(0, 6)
    assert task.action.names[0] == "right_dx"


def test_one_arm_is_as_it_always_was() -> None:
    cell, task = load_cell("simulation"), load_task("lift_cube")
    assert list(cell.arms) == list(task.arms) == [ONLY_ARM]
    assert state_names(cell.joints)[0] == "tcp_position_x_m"
    assert task.action.names[0] == "dx"


@pytest.mark.parametrize(
    ("cell", "task", "said"),
    [
        (two_arm_cell("simulated_panda"), two_arm_task(), "a simulated arm is the only one of its"),
        (two_arm_cell() + "\n[limits]\n", two_arm_task(), r"limits\.workspace_min_m is missing"),
        (CELL.replace("[arm]", "[armd]"), TASK, "armd is not a known key"),
        (part(CELL, "name", "[impedance]"), TASK, r"impedance is missing; add \[impedance\], or"),
        (
            two_arm_cell() + part(CELL, "[impedance]", "[control]"),
            two_arm_task(),
            r"impedance belongs to a cell with one arm.*as \[arms\.NAME\.impedance\]",
        ),
        (
            two_arm_cell().replace("torque_nm = [87, 87, 87, 87, 12, 12, 12]", "torque_nm = [1]"),
            two_arm_task(),
            r"arms\.left: limits\.torque_nm has 1 values, and the arm has 7 joints",
        ),
        (
            two_arm_cell(),
            TASK.replace('cameras = ["front", "wrist"]', "cameras = []"),
            "it is for one arm, and the cell simulation has the arms left, right: give each",
        ),
        (CELL, two_arm_task(), "it is for left, right, and the cell simulation has one arm"),
        (
            two_arm_cell(),
            two_arm_task('["left", "middle"]'),
            r"action\.arms names 'middle', and the file has no \[arms\.middle\]",
        ),
        (
            two_arm_cell(),
            two_arm_task().replace('arms = ["left", "right"]', ""),
            "action.arms is missing, and the cell simulation has several arms: name those",
        ),
        (
            two_arm_cell(),
            two_arm_task() + "\n[limits]\nspeed_m_s = 0.1\n",
            r"limits belongs to a task with one arm, and the file has \[arms\.NAME\] too",
        ),
        (
            two_arm_cell() + '\n[[teleop]]\ndriver = "spacemouse"\narm = "right"\n',
            two_arm_task('["left"]'),
            r"action\.arms leaves out 'right', which teleop\.0\.arm of the cell simulation drives",
        ),
        (two_arm_cell().replace("left", "arm"), two_arm_task(), "'arm' is what the arm of a cell"),
        (two_arm_cell(), two_arm_task().replace("left", "arm"), "'arm' is what the arm of a cell"),
        (
            two_arm_cell() + '\n[[teleop]]\ndriver = "spacemouse"\narm = "middle"\n',
            two_arm_task(),
            r"teleop\.0\.arm is 'middle', and the cell has left, right",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, cell: str, task: str, said: str) -> None:
    with pytest.raises((BadConfig, ValueError), match=said):
        check_fit(*load(tmp_path, cell, task))
