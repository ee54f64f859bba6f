"""Action spaces: named columns, a size that follows from them, and refusals in one sentence."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from robot_rl.config import check_fit, load_cell, load_task
from robot_rl.config.action import ActionSpace
from robot_rl.config.document import CHECKOUT, BadConfig

STEP = (0.01, 0.01, 0.0)


def test_the_columns_of_one_arm_are_those_of_recorded_data() -> None:
    for gripper in (True, False):
        space = ActionSpace(translation_m=STEP, gripper=gripper)
        assert space.names == ("dx", "dy", "dz", "rx", "ry", "rz", "gripper")
        assert space.size == 7
        assert space.gripper_columns == (6,)
        assert space.active_axes == (0, 1)


def test_joints_have_a_column_each_and_a_gripper_only_if_it_is_used() -> None:
    space = ActionSpace(space="joint_delta", joint_rad=(0.1,) * 6)
    assert space.size == 7
    assert space.names[5:] == ("dq6", "gripper")
    bare = ActionSpace(space="joint_delta", joint_rad=(0.1,) * 6, gripper=False)
    assert bare.size == 6
    assert bare.gripper_columns == ()
    assert bare.active_axes == tuple(range(6))


def test_two_arms_concatenate_with_their_names() -> None:
    space = ActionSpace(arms=("left", "right"), translation_m=STEP)
    assert space.size == 14
    assert (space.names[0], space.names[7]) == ("left_dx", "right_dx")
    assert space.gripper_columns == (6, 13)
    assert space.active_axes == (0, 1, 7, 8)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "nothing can move: give translation_m or rotation_rad"),
        ({"space": "joint_delta"}, "nothing can move: give joint_rad"),
        ({"joint_rad": (0.1,)}, 'joint_rad belongs to the space "joint_delta"'),
        ({"space": "joint_delta", "joint_rad": (0.1,), "translation_m": STEP}, "give joint_rad"),
        ({"translation_m": STEP, "arms": ("a", "a")}, "arms names one arm twice"),
    ],
)
def test_a_space_that_says_nothing_clear_is_refused(values, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ActionSpace(**values)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('space = "joint_delta"\njoint_rad = [0.1]', "control drives 'tcp_delta' only"),
        (
            'arms = ["left", "right"]\ntranslation_m = [0.1, 0.1, 0.1]',
            "action.arms names 'left', and the file has no",
        ),
    ],
)
def test_a_space_that_control_does_not_drive_is_refused_at_load(
    tmp_path: Path, lines: str, said: str
) -> None:
    text = (CHECKOUT / "tasks" / "lift_cube.toml").read_text()
    file = tmp_path / "task.toml"
    file.write_text(text.replace("translation_m = [0.025, 0.025, 0.025]", lines))
    with pytest.raises((BadConfig, ValueError), match=said):
        check_fit(load_cell("simulation"), load_task(str(file)))


def test_a_misspelt_space_lists_the_known_ones(tmp_path: Path) -> None:
    text = (CHECKOUT / "tasks" / "lift_cube.toml").read_text()
    file = tmp_path / "task.toml"
    file.write_text(text.replace("[action]", '[action]\nspace = "tcp"'))
    with pytest.raises(BadConfig, match=r"action.space = 'tcp': .*'tcp_delta' or 'joint_delta'"):
        load_task(str(file))
