"""The arm's own door: what nobody's gate has checked does not move it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hardware import arm_topics
from hardware.arm_guard import TRAVEL_S, CommandGuard
from hardware.sim.panda import JOINTS, default_limits
from safety import rotation
from tests.hardware.test_arm_process import CONTROL_NS, MS, start_virtual


def raw(control: Any, position: Any, quaternion: Any, **changes: Any) -> np.ndarray:
    """A record as anybody could write it, valid in all that is not changed."""
    control.sequence += 1
    record = np.zeros((), arm_topics.COMMAND)
    record["sequence"], record["t_ns"], record["epoch"] = control.sequence, control.due_ns, 1
    record["valid_until_ns"] = control.due_ns + 100 * MS
    record["position"], record["quaternion"] = position, quaternion
    record["clip_m"], record["clip_rad"], record["gripper"] = 0.01, 0.1, 1.0
    for name, value in changes.items():
        record[name] = value
    return record


def test_a_raw_record_does_not_drive_the_arm_out_of_its_box(memory: Path, processes: Any) -> None:
    _, control = start_virtual(memory, processes)
    slot, state = arm_topics.open_command(memory), arm_topics.open_state(memory, JOINTS)
    begin, limits = control.arm.state(), default_limits().cartesian
    position = np.array(begin.position_m)
    for _ in range(400):  # 2 s at 0.2 m/s: 150 mm beyond the box, had nobody looked
        position[1] += 0.001
        slot.write(raw(control, position, begin.quaternion_wxyz))
        control.skip(CONTROL_NS)
    seen = state.read()
    assert seen["position"][1] < limits.box_max_m[1] + limits.margin_m
    assert bool(seen["braking"])


LIMITS = default_limits().cartesian
AT, FACING = np.array([0.45, 0.0, 0.2]), np.array([0.0, 1.0, 0.0, 0.0])
X, Y = np.eye(3)[:2]
NOW = 10_000 * MS


def command(**changes: Any) -> Any:
    record = np.zeros((), arm_topics.COMMAND)
    record["sequence"], record["epoch"], record["t_ns"] = 2, 5, NOW - 5 * MS
    record["valid_until_ns"] = NOW + 95 * MS
    record["position"], record["quaternion"], record["gripper"] = AT, FACING, 1.0
    for name, value in changes.items():
        record[name] = value
    return record


def guard() -> CommandGuard:
    """A door that has let one command in."""
    door = CommandGuard(LIMITS, 100 * MS)
    before = {"sequence": 1, "t_ns": NOW - 10 * MS, "valid_until_ns": NOW + 90 * MS}
    assert door.admit(command(**before), NOW - 5 * MS, AT, FACING)
    return door


def turned(angle_rad: float) -> np.ndarray:
    return rotation.plus(FACING, np.array([angle_rad, 0.0, 0.0]))


CLOSE_M = float(LIMITS.clip_m[0, 0] + LIMITS.speed_m_s * TRAVEL_S)
CLOSE_RAD = float(LIMITS.clip_rad[0, 0] + LIMITS.angular_speed_rad_s * TRAVEL_S)


@pytest.mark.parametrize(
    ("taken", "refused", "said"),
    [
        ({"epoch": 6, "sequence": 1}, {"epoch": 4}, "old epoch"),
        ({}, {"sequence": 1}, "was there before"),
        ({"t_ns": NOW - 100 * MS}, {"t_ns": NOW - 101 * MS}, "101 ms old"),
        ({"valid_until_ns": NOW + 1}, {"valid_until_ns": NOW}, "ms old"),
        ({"t_ns": NOW + 50 * MS}, {"t_ns": NOW + 51 * MS}, "51 ms ahead"),
        ({"quaternion": 1.0004 * FACING}, {"quaternion": 1.1 * FACING}, "quaternion that is none"),
        ({"gripper": 0.0}, {"gripper": -0.01}, "gripper's opening"),
        ({"gripper": 1.0}, {"gripper": np.nan}, "gripper's opening"),
        ({"clip_m": np.inf}, {"clip_m": -1e-9}, "clip that is none"),
        ({}, {"clip_rad": np.nan}, "clip that is none"),
        ({}, {"position": np.nan}, "position that is no number"),
        (
            {"position": AT + (CLOSE_M - 1e-4) * X},
            {"position": AT + (CLOSE_M + 1e-4) * X},
            "mm from the arm",
        ),
        (
            {"quaternion": turned(CLOSE_RAD - 1e-3)},
            {"quaternion": turned(CLOSE_RAD + 1e-3)},
            "turned by",
        ),
    ],
)
def test_the_door_refuses_what_is_beyond_and_takes_what_is_not(
    taken: dict[str, Any], refused: dict[str, Any], said: str
) -> None:
    assert guard().admit(command(**taken), NOW, AT, FACING)
    door = guard()
    assert not door.admit(command(**refused), NOW, AT, FACING)
    assert said in door.refusal
    assert (door.accepted, door.refused) == (1, 1)


def test_outside_the_box_a_reference_may_only_come_back_in() -> None:
    wall = float(LIMITS.box_max_m[1])
    outside = np.array([0.45, wall + 0.01, 0.2])
    door = CommandGuard(LIMITS, 100 * MS)
    assert door.admit(command(position=outside), NOW, outside, FACING), "where the arm itself is"
    further = {"position": outside + 1e-3 * Y, "sequence": 3}
    assert not door.admit(command(**further), NOW, outside, FACING)
    assert "outside the workspace" in door.refusal
    assert door.admit(command(position=outside - 1e-3 * Y, sequence=4), NOW, outside, FACING)


def test_an_arm_whose_pose_is_not_known_follows_nothing() -> None:
    door = guard()
    assert not door.admit(command(), NOW, np.full(3, np.nan), FACING)
    door = guard()
    assert not door.admit(command(), NOW, AT, np.full(4, np.nan))


def test_refused_commands_feed_no_watchdog_and_are_named() -> None:
    door = guard()
    for later in range(1, 120):
        now_ns = NOW + later * MS
        record = command(sequence=2 + later, t_ns=now_ns, valid_until_ns=now_ns + 100 * MS)
        record["position"] = 9.0
        assert not door.admit(record, now_ns, AT, FACING)
    assert "no new command for 124 ms (a reference outside" in door.silence(NOW + 119 * MS)
    assert door.trips == 1
