"""What a policy's outputs become: units, axes, grippers."""

import math
from typing import Any

import numpy as np
import pytest

from robot_rl.config.action import ActionSpace
from robot_rl.config.policy_mapping import OutputMapping
from robot_rl.policy.interface import Observation
from robot_rl.policy.lerobot_action import to_actions

ACTION = ActionSpace(translation_m=(0.02, 0.02, 0.04), rotation_rad=(0.0, 0.0, 0.1))
ALL = tuple(range(7))
TURN = math.sqrt(0.5)


def seen(w: float, x: float, y: float, z: float) -> Observation:
    return Observation(
        images={},
        state=np.array((w, x, y, z)),
        state_names=tuple(f"tcp_quaternion_{axis}" for axis in "wxyz"),
        instruction="",
        t_ns=0,
    )


@pytest.mark.parametrize(
    ("unit", "raw", "acted"),
    [
        ("normalised", [0.5, -2, 0, 0, 0, 0.25], [0.5, -1, 0, 0, 0, 0.25]),
        ("m_rad", [0.01, 0.004, -0.01, 0.3, 0, 0.05], [0.5, 0.2, -0.25, 0, 0, 0.5]),
        ("mm_deg", [10, 4, -10, 20, 0, math.degrees(0.05)], [0.5, 0.2, -0.25, 0, 0, 0.5]),
    ],
)
def test_units(unit: Any, raw: list[float], acted: list[float]) -> None:
    found = to_actions(np.array([[*raw, 0.0]]), ALL, ACTION, OutputMapping(unit=unit))
    assert found[0] == pytest.approx([*acted, 0.0])


@pytest.mark.parametrize(
    ("gripper", "orders"),
    [
        ("opens", [(-1, -1), (-0.4, 0), (0.4, 0), (0.9, 1)]),
        ("closes", [(-1, 1), (-0.4, 0), (0.4, 0), (0.9, -1)]),
        ("open_share", [(0, -1), (0.2, -1), (0.5, 0), (0.8, 1)]),
        ("closed_share", [(0, 1), (0.2, 1), (0.5, 0), (0.8, -1)]),
    ],
)
def test_grippers(gripper: Any, orders: list[tuple[float, float]]) -> None:
    raw = np.array([[said] for said, _ in orders])
    found = to_actions(raw, (6,), ACTION, OutputMapping(gripper=gripper))
    assert found[:, 6].tolist() == [order for _, order in orders]
    assert not found[:, :6].any()


def test_a_gripper_that_the_policy_does_not_move_stays() -> None:
    found = to_actions(np.array([[0.0]]), (0,), ACTION, OutputMapping(gripper="closed_share"))
    assert found[0, 6] == 0.0


def test_outputs_that_are_not_used_change_nothing() -> None:
    found = to_actions(np.array([[0.5, 9.0, 0.25]]), (2, None, 0), ACTION)
    assert found.tolist() == [[0.25, 0, 0.5, 0, 0, 0, 0]]


def test_the_axes_of_the_hand_are_turned_into_those_of_the_base() -> None:
    tcp = OutputMapping(unit="m_rad", frame="tcp")
    about_z = seen(TURN, 0, 0, TURN)  # its x is the base's y
    found = to_actions(np.array([[0.01, 0, 0.02, 0, 0, 0.05]]), ALL[:6], ACTION, tcp, about_z)
    assert found[0] == pytest.approx([0, 0.5, 0.5, 0, 0, 0.5, 0])
    down = seen(0, 1, 0, 0)  # a hand that points down: its z is the base's −z
    found = to_actions(np.array([[0.01, 0, 0.02, 0, 0, 0.05]]), ALL[:6], ACTION, tcp, down)
    assert found[0] == pytest.approx([0.5, 0, -0.5, 0, 0, -0.5, 0])


def test_within_a_chunk_the_hand_turns_with_what_it_was_told() -> None:
    wide = ActionSpace(translation_m=(0.02,) * 3, rotation_rad=(2.0,) * 3)
    tcp = OutputMapping(unit="m_rad", frame="tcp")
    step = [0.01, 0, 0, 0, 0, math.pi / 2]
    found = to_actions(np.array([step] * 3), ALL[:6], wide, tcp, seen(1, 0, 0, 0))
    assert found[:, :2] == pytest.approx(np.array([[0.5, 0], [0, 0.5], [-0.5, 0]]), abs=1e-6)


def test_each_of_two_hands_has_axes_of_its_own() -> None:
    arms = ActionSpace(arms=("left", "right"), translation_m=(0.02,) * 3, gripper=False)
    names = [f"{arm}_tcp_quaternion_{axis}" for arm in arms.arms for axis in "wxyz"]
    both = Observation(
        images={},
        state=np.array((1, 0, 0, 0, TURN, 0, 0, TURN)),
        state_names=tuple(names),
        instruction="",
        t_ns=0,
    )
    found = to_actions(np.array([[0.5, 0.5]]), (0, 7), arms, OutputMapping(frame="tcp"), both)
    assert found[0, [0, 1, 7, 8]] == pytest.approx([0.5, 0, 0, 0.5])
