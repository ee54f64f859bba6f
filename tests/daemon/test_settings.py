"""Cells and tasks that do not fit one another, or virtual time, are refused in plain words."""

from pathlib import Path
from typing import Any

import pytest

from robot_rl.config import Cell, Task, check_fit, load_cell, load_task
from robot_rl.daemon.settings import DaemonSettings


def task_with(**changes: Any) -> Task:
    return load_task("lift_cube").model_copy(update=changes)


def cell_at(rate_hz: int) -> Cell:
    cell = load_cell("simulation")
    return cell.model_copy(update={"control": cell.control.model_copy(update={"rate_hz": rate_hz})})


def test_a_home_pose_outside_the_workspace_is_refused() -> None:
    task = load_task("lift_cube")
    reset = task.reset.model_copy(update={"home_position_m": (0.42, 0.0, 0.9)})
    with pytest.raises(ValueError, match=r"home_position_m is 0.9 m on z.*0.01 to 0.45 m"):
        DaemonSettings(
            cell=load_cell("simulation"),
            task=task.model_copy(update={"reset": reset}),
            data_folder=Path("unused"),
        )
    check_fit(load_cell("simulation"), task)


def test_a_step_that_no_physics_step_ends_is_refused() -> None:
    with pytest.raises(ValueError, match=r"step_s is 0.0333 s.*multiple.*0.002 s"):
        check_fit(load_cell("simulation"), task_with(step_s=0.0333))


@pytest.mark.parametrize(
    ("rate_hz", "changes", "named"),
    [
        (200, {"step_s": 0.034}, "step_s is 0.034 s"),
        (200, {"action_delay_s": 0.047}, "action_delay_s is 0.047 s"),
        (50, {"action_delay_s": 0.04}, "a turn of the operator is 0.05 s"),
    ],
)
def test_lock_step_needs_whole_control_periods(
    rate_hz: int, changes: dict[str, float], named: str
) -> None:
    cell, task = cell_at(rate_hz), task_with(**{"action_delay_s": 0.02, **changes})
    with pytest.raises(ValueError, match=named):
        DaemonSettings(cell=cell, task=task, data_folder=Path("unused"), lockstep=True)
    DaemonSettings(cell=cell, task=task, data_folder=Path("unused"))  # real time takes it


@pytest.mark.parametrize("rate_hz", [100, 200])
def test_lock_step_takes_other_rates(rate_hz: int) -> None:
    settings = DaemonSettings(
        cell=cell_at(rate_hz),
        task=load_task("lift_cube"),
        data_folder=Path("unused"),
        lockstep=True,
    )
    assert settings.control_period_ns * rate_hz == 1_000_000_000
