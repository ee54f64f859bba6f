"""The simulated arm presses on the table and goes back the way it came: by an alarm, by request."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robot_rl.config.rewind import RewindSection
from robot_rl.schema.live.client_message import Resume, Rewind
from tests.faults.cell import FaultCell
from tests.faults.conftest import MakeCell

ALARM_N = 20.0
ASIDE = [0.0, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0]
DOWN = [0.1, 0.0, -0.4, 0.0, 0.0, 0.0, -1.0]  # and the gripper closes
ON_PATH_M = 0.005


class Watch:
    """What the simulator measures at every step: robot time, position, force, gripper."""

    def __init__(self, cell: FaultCell) -> None:
        self.cell, self.seen = cell, list[tuple[int, Any, float, float]]()
        cell.moved.append(self)

    def __call__(self, now_ns: int) -> None:
        arm = self.cell.arm.read()
        force_n = float(np.linalg.norm(arm["wrench"][:3]))
        self.seen.append((now_ns, np.array(arm["position"]), force_n, float(arm["gripper_m"])))

    def way_m(self, begin_ns: int, end_ns: int) -> np.ndarray:
        return np.array([at for t_ns, at, *_ in self.seen if begin_ns < t_ns <= end_ns])

    @property
    def force_n(self) -> float:
        return self.seen[-1][2]


def pressing_policy(make_cell: MakeCell, on_alarm: str) -> tuple[FaultCell, Watch]:
    """It drives aside, then down and onto the table, which lies in its workspace here."""
    cell = make_cell(limits={"workspace_min_m": (0.25, -0.25, -0.05)})
    core = cell.loop.controller
    core.authority.rewinding.settings = RewindSection.model_validate({"on_alarm": on_alarm})
    channel = core.channels[0]
    channel.settings = replace(channel.settings, unsafe_force_n=ALARM_N)
    watch = Watch(cell)
    cell.begin_autonomy()
    for action in [ASIDE] * 8 + [DOWN] * 30:
        if cell.mode != "autonomous":
            break
        cell.offer([action] * 8)
        cell.run(100)
    return cell, watch


def gone_back(cell: FaultCell) -> int:
    """Wait for the end of the rewind; when it began, ns."""
    began_ns = cell.loop.controller.authority.mode.since_ns
    for _ in range(300):
        if cell.mode != "rewinding":
            return began_ns
        cell.run(20)
    raise AssertionError(cell.cause)


def test_a_force_alarm_takes_the_arm_back_along_its_path(make_cell: MakeCell) -> None:
    cell, watch = pressing_policy(make_cell, "rewind")
    assert cell.mode == "rewinding"
    assert cell.cause == "Rewinds: the contact force was beyond 20 N."
    began_ns = gone_back(cell)
    assert cell.mode == "paused", cell.cause
    assert cell.cause.startswith("Went back by "), cell.cause
    cell.run(200)

    came = watch.way_m(0, began_ns)
    back = watch.way_m(began_ns, cell.now_ns)
    assert max(force for *_, force, _ in watch.seen) > ALARM_N
    assert watch.force_n < 3.0
    far_m = np.linalg.norm(came[-1] - cell.position_m)
    assert far_m == pytest.approx(0.1, abs=0.015)
    off_m = [np.linalg.norm(came - at, axis=1).min() for at in back]
    assert max(off_m) < ON_PATH_M
    speeds = [speed for t_ns, speed in cell.speeds if t_ns > began_ns + 200_000_000]
    assert max(speeds) < 0.12, f"{max(speeds):.3f} m/s"
    widths = [width for t_ns, *_, width in watch.seen if t_ns > began_ns]
    assert max(widths) - min(widths) < 0.002, "the gripper stays as it is"

    steps = list(cell.ring("step_results").drain())
    assert {bytes(each["mode"]) for each in steps} >= {b"autonomous", b"rewinding", b"paused"}
    moved = [each for each in steps if np.abs(each["executed"][:3]).max() > 0.1]
    late = [each for each in moved if int(each["observation_ns"]) > began_ns]
    assert len(late) > 5
    assert {bytes(each["source"]) for each in late} == {b"rewind"}
    assert not any(each["has_human"] for each in steps)
    assert cell.mode == "paused", "until a person resumes"
    assert cell.answer_of(Resume).accepted
    assert cell.mode == "autonomous"


def test_control_without_the_rule_it_goes_on_pressing(make_cell: MakeCell) -> None:
    cell, watch = pressing_policy(make_cell, "hold")
    assert cell.mode == "autonomous"
    assert watch.force_n > ALARM_N
    assert not any(bytes(each["source"]) == b"rewind" for each in cell.ring("step_results").drain())


def test_on_request_from_where_it_presses(make_cell: MakeCell) -> None:
    cell, watch = pressing_policy(make_cell, "hold")
    assert cell.answer_of(Rewind).accepted
    gone_back(cell)
    assert cell.mode == "paused", cell.cause
    assert watch.force_n < 3.0
    assert watch.seen[-1][1][2] > 0.05
