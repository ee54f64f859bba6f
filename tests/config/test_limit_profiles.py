"""Limit profiles in cell and task files: what loosens, changes nothing or is unknown is refused."""

from pathlib import Path

import pytest

from robot_rl.config import Cell, Task, check_fit, load_cell, load_task
from robot_rl.config.document import CHECKOUT, BadConfig
from robot_rl.config.fit import active_profiles
from robot_rl.config.limit_profile import ChosenBy, DeclaredProfile, chosen


def cell_with(tmp_path: Path, profiles: str) -> Cell:
    """The default cell with other profiles."""
    text = (CHECKOUT / "cells" / "simulation.toml").read_text()
    start, end = text.index("[limits.profiles.fragile]"), text.index("[impedance]")
    file = tmp_path / "cell.toml"
    file.write_text(text[:start] + profiles + "\n" + text[end:])
    return load_cell(str(file))


def task_with(tmp_path: Path, *changes: tuple[str, str]) -> Task:
    text = (CHECKOUT / "tasks" / "lift_cube.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "task.toml"
    file.write_text(text)
    return load_task(str(file))


SLOW = "[limits.profiles.slow]\nspeed_m_s = 0.1"
NAMED = ('name = "lift_cube"', 'name = "lift_cube"\nlimit_profiles = ["slow"]')


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "speed_m_s = 0.6",
            "profiles.slow.speed_m_s is 0.6; at most 0.5 is allowed, as the cell's limits say: a "
            "profile can only tighten",
        ),
        ("speed_m_s = 0.5", "profiles.slow.speed_m_s is 0.5, as the cell's limits say already"),
        (
            "clip_negative_m = [0.005, 0.03, 0.005]",
            r"clip_negative_m is \[0.005, 0.03, 0.005\]; at most \[0.02, 0.02, 0.02\] is allowed",
        ),
        ("clip_rad = [0.1, 0.1, 0.1]", "changes nothing"),
        ("workspace_min_m = [0.2, 0.0, 0.1]", r"at least \[0.25, -0.25, 0.01\] is allowed"),
        ("workspace_max_m = [0.7, 0.0, 0.1]", r"at most \[0.6, 0.25, 0.45\] is allowed"),
        ("workspace_min_m = [0.25, 0.25, 0.01]", "leave no room on y when all are active"),
        ("", "profiles.slow gives no limit, so that it changes nothing: give one of workspace"),
        ('words = ["slow"]', "gives no limit"),
        ('speed_m_s = 0.1\nwords = ["hot cup"]', "'hot cup', which is not one word"),
        ('speed_m_s = 0.1\nwords = [""]', "'', which is not one word"),
        ('speed_m_s = 0.1\nwords = ["hot!"]', "'hot!', which is not one word"),
        ("speed_m_s = -0.1", "speed_m_s = -0.1: input should be greater than 0"),
        ("speed_m_s = nan", "speed_m_s"),
        ("static_force_n = 10", "static_force_n is not a known key"),
    ],
)
def test_what_is_no_tightening_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        cell_with(tmp_path, f"[limits.profiles.slow]\n{lines}")


def test_part_of_a_triple_may_stay(tmp_path: Path) -> None:
    cell = cell_with(tmp_path, "[limits.profiles.low]\nclip_negative_m = [0.02, 0.02, 0.005]")
    assert cell.limit_profiles == (DeclaredProfile(name="low", text="low", words=frozenset()),)


def test_together_they_leave_room(tmp_path: Path) -> None:
    left = "[limits.profiles.left]\nworkspace_min_m = [0.25, 0.05, 0.01]"
    right = "[limits.profiles.right]\nworkspace_max_m = [0.60, 0.05, 0.45]"
    cell_with(tmp_path, left)
    cell_with(tmp_path, right)
    with pytest.raises(BadConfig, match=r"\(left, right\) leave no room on y .* 0.05 to 0.05 m"):
        cell_with(tmp_path, f"{left}\n{right}")


def test_there_are_not_too_many(tmp_path: Path) -> None:
    many = "\n".join(f"[limits.profiles.p{n}]\nspeed_m_s = 0.1" for n in range(9))
    with pytest.raises(BadConfig, match="profiles has 9 of them; at most 8 are allowed"):
        cell_with(tmp_path, many)


@pytest.mark.parametrize(
    ("named", "instruction", "found"),
    [
        ((), "lift the cube", {}),
        ((), "lift the HOT glass", {"fragile": "instruction", "hot": "instruction"}),
        (("fragile",), "lift the glass", {"fragile": "task"}),
        (("hot",), "lift the glass", {"fragile": "instruction", "hot": "task"}),
    ],
)
def test_task_and_words_choose(
    named: tuple[str, ...], instruction: str, found: dict[str, str]
) -> None:
    profiles = load_cell("simulation").limit_profiles
    assert chosen(profiles, named, instruction) == found
    assert [p.text for p in profiles] == ["Fragile object", "Hot contents", "Person near"]


@pytest.mark.parametrize("task", ["lift_cube", "insert_peg"])
def test_no_example_task_chooses_one_by_chance(task: str) -> None:
    assert active_profiles(load_cell("simulation"), load_task(task)) == {}


def test_a_task_that_names_one(tmp_path: Path) -> None:
    cell = cell_with(tmp_path, SLOW)
    task = task_with(tmp_path, NAMED)
    check_fit(cell, task)
    assert active_profiles(cell, task) == {"slow": ChosenBy.TASK}


def test_a_task_that_names_what_is_not_there(tmp_path: Path) -> None:
    task = task_with(tmp_path, NAMED)
    with pytest.raises(ValueError, match="names 'slow', and the cell simulation has: fragile, hot"):
        check_fit(load_cell("simulation"), task)


def test_a_task_that_names_what_changes_nothing(tmp_path: Path) -> None:
    tight = ("[reset]", "[limits]\nspeed_m_s = 0.1\n\n[reset]")
    task = task_with(tmp_path, NAMED, tight)
    with pytest.raises(ValueError, match="names 'slow', which changes nothing"):
        check_fit(cell_with(tmp_path, SLOW), task)


def test_the_start_pose_is_inside_a_workspace_that_the_task_chooses(tmp_path: Path) -> None:
    cell = cell_with(tmp_path, "[limits.profiles.slow]\nworkspace_min_m = [0.55, -0.25, 0.01]")
    check_fit(cell, load_task("lift_cube"))  # a button may choose it
    with pytest.raises(ValueError, match="outside the workspace of the profile 'slow', which the"):
        check_fit(cell, task_with(tmp_path, NAMED))


def test_profiles_and_task_together_leave_room(tmp_path: Path) -> None:
    cell = cell_with(tmp_path, "[limits.profiles.slow]\nworkspace_min_m = [0.55, -0.25, 0.01]")
    task = task_with(tmp_path, ("[reset]", "[limits]\nworkspace_max_m = [0.5, 0.2, 0.4]\n[reset]"))
    with pytest.raises(ValueError, match=r"leave no room .* \(0.55 to 0.5 m\)"):
        check_fit(cell, task)
