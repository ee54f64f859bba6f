"""A cell with two arms: one authority, a gate each, one action whose columns both share."""

from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pytest

from hardware.memory import Record
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control.grid import ArmColumns
from robot_rl.daemon.control.home import HomePose
from robot_rl.daemon.control.settings import control_settings
from robot_rl.schema.live.client_message import AcquireLease, Clear, Rewind, Takeover
from tests.daemon.control.stand import MS, START, ControlStand

STEP_NS = 100 * MS
FORWARD = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
LEFT, RIGHT = 0, 1


@pytest.fixture
def stand() -> ControlStand:
    """Arms `left` and `right`, 14 columns."""
    wanted = control_settings(load_cell("simulation"), load_task("lift_cube"))
    scale = wanted.grid.arms[0].scale
    columns = [
        ArmColumns(scale=scale, pose=slice(0, 6), gripper=6),
        ArmColumns(scale=scale, pose=slice(7, 13), gripper=13),
    ]
    (only,) = wanted.arms
    arms = tuple(
        replace(only, name=name, columns=its)
        for name, its in zip(("left", "right"), columns, strict=True)
    )
    grid = replace(wanted.grid, columns=14, arms=tuple(columns))
    stand = ControlStand(START, [START], arms=arms, grid=grid)
    stand.run(50)
    return stand


def reference_m(stand: ControlStand, arm: int) -> np.ndarray:
    return stand.controller.channels[arm].gate.position_m.copy()


def offered(stand: ControlStand, action: list[float]) -> Record:
    """A chunk of one action for the next window."""
    chunk = np.zeros((), topics.chunk_type(14))
    begins_ns = (stand.now_ns // STEP_NS + 1) * STEP_NS + 50 * MS
    chunk["chunk_id"], chunk["count"], chunk["dt_ns"] = 1, 1, STEP_NS
    chunk["observation_ns"], chunk["valid_from_ns"] = begins_ns - 50 * MS, begins_ns
    chunk["epoch"] = stand.status["epoch"]
    chunk["risk"], chunk["policy_version"] = topics.NO_CRITIC, 3
    chunk["actions"][0] = action
    return cast(Record, chunk[()])


def results_of(stand: ControlStand, duration_ms: int, **first: Any) -> list[Record]:
    """What the windows of that time became."""
    results = list(stand.tick(**first).step_results)
    for _ in range(duration_ms // 5):
        results += stand.tick().step_results
    return results


def take_over(stand: ControlStand, arm: int) -> None:
    stand.ask(AcquireLease)
    stand.drive_for(40, dead_man=False, arm=arm)
    stand.ask(Takeover, device="keyboard")
    stand.drive_for(60, dead_man=True, arm=arm)
    assert stand.mode == "takeover"


def test_a_policy_moves_both_and_each_column_is_accounted_for_at_its_arm(
    stand: ControlStand,
) -> None:
    stand.begin_autonomy()
    before = [reference_m(stand, arm) for arm in (LEFT, RIGHT)]
    action = [0.0] * 14
    action[0], action[8], action[13] = 0.4, -0.4, -1.0
    results = results_of(stand, 300, chunk=offered(stand, action))
    (policy,) = [each for each in results if bytes(each["source"]) == b"policy"]
    moved = [reference_m(stand, arm) - before[arm] for arm in (LEFT, RIGHT)]
    executed = np.sum([each["executed"] for each in results], axis=0)
    scale = 0.025
    np.testing.assert_allclose(executed[:3] * scale, moved[LEFT], atol=1e-6)
    np.testing.assert_allclose(executed[7:10] * scale, moved[RIGHT], atol=1e-6)
    assert policy["executed"][0] > 0.2
    assert policy["executed"][8] < -0.2
    assert (policy["executed"][6], policy["executed"][13]) == (0.0, -1.0)
    assert policy["proposed"].tolist() == action


def test_an_action_that_is_no_number_for_one_arm_moves_neither(stand: ControlStand) -> None:
    stand.begin_autonomy()
    action = [0.0] * 14
    action[0], action[8] = 0.4, np.nan
    results = results_of(stand, 300, chunk=offered(stand, action))
    assert not any(bytes(each["source"]) == b"policy" for each in results)
    assert any(bytes(each["reject_reason"]) == b"not_finite" for each in results)
    assert not any(each["executed"].any() for each in results)


def test_a_person_drives_the_chosen_arm_and_the_other_one_holds(stand: ControlStand) -> None:
    take_over(stand, RIGHT)
    before = [reference_m(stand, arm) for arm in (LEFT, RIGHT)]
    results: list[Record] = []
    for _ in range(15):
        results += stand.drive(dead_man=True, axes=FORWARD, arm=RIGHT).step_results
        for _ in range(3):
            results += stand.tick().step_results
    assert np.linalg.norm(reference_m(stand, RIGHT) - before[RIGHT]) > 0.003
    np.testing.assert_allclose(reference_m(stand, LEFT), before[LEFT], atol=1e-9)
    driven = [each for each in results if bool(each["has_human"])]
    assert driven
    human = np.sum([each["human"] for each in driven], axis=0)
    assert not human[:7].any()
    assert np.abs(human[7:13]).max() > 0.1


def test_another_arm_is_driven_only_after_the_dead_man_was_released(stand: ControlStand) -> None:
    take_over(stand, LEFT)
    stand.drive_for(200, dead_man=True, axes=FORWARD, arm=LEFT)
    before = [reference_m(stand, arm) for arm in (LEFT, RIGHT)]
    stand.drive_for(400, dead_man=True, axes=FORWARD, arm=RIGHT)
    np.testing.assert_allclose(reference_m(stand, RIGHT), before[RIGHT], atol=1e-9)
    assert np.linalg.norm(reference_m(stand, LEFT) - before[LEFT]) < 0.03, "it came to rest"
    rests = reference_m(stand, LEFT)
    stand.drive_for(40, dead_man=False, arm=RIGHT)
    stand.drive_for(300, dead_man=True, axes=FORWARD, arm=RIGHT)
    assert np.linalg.norm(reference_m(stand, RIGHT) - before[RIGHT]) > 0.003
    np.testing.assert_allclose(reference_m(stand, LEFT), rests, atol=1e-9)


@pytest.mark.parametrize("arm", [LEFT, RIGHT])
def test_one_press_that_begins_without_the_lease_drives(stand: ControlStand, arm: int) -> None:
    """The console's way: let go, then hold, and ask for the lease and the takeover meanwhile."""
    stand.drive_for(40, dead_man=False, arm=arm)
    stand.drive_for(40, dead_man=True, arm=arm)
    stand.ask(AcquireLease)
    stand.drive_for(40, dead_man=True, arm=arm)
    stand.ask(Takeover, device="keyboard")
    before = reference_m(stand, arm)
    stand.drive_for(300, dead_man=True, axes=FORWARD, arm=arm)
    assert stand.mode == "takeover"
    assert np.linalg.norm(reference_m(stand, arm) - before) > 0.003


def test_both_go_back_together_the_way_they_came(stand: ControlStand) -> None:
    stand.begin_autonomy()
    start = [reference_m(stand, arm) for arm in (LEFT, RIGHT)]
    action = [0.0] * 14
    action[0], action[8] = 0.8, -0.8
    stand.tick(chunk=offered(stand, action))
    follow(stand, 400)
    away = [reference_m(stand, arm) - start[arm] for arm in (LEFT, RIGHT)]
    assert min(np.linalg.norm(each) for each in away) > 0.015
    stand.ask(Rewind)
    follow(stand, 1500)
    assert stand.mode == "paused", stand.cause
    for arm in (LEFT, RIGHT):
        np.testing.assert_allclose(reference_m(stand, arm), start[arm], atol=3e-3)


def follow(stand: ControlStand, duration_ms: int) -> None:
    """Both arms are where their references were a tick ago."""
    for _ in range(duration_ms // 5):
        stand.tick()
        left, right = (reference_m(stand, arm) for arm in (LEFT, RIGHT))
        stand.measure(position_m=left)
        stand.others = [replace(START, position_m=right)]


def test_who_only_watches_chooses_no_arm_for_the_person_who_drives(stand: ControlStand) -> None:
    take_over(stand, RIGHT)
    before = reference_m(stand, RIGHT)
    driver, watcher = stand.client, uuid4()
    for client, held in ((watcher, False), (driver, True)) * 8:
        stand.client = client
        stand.drive_for(40, dead_man=held, axes=FORWARD, arm=RIGHT if held else LEFT)
    assert np.linalg.norm(reference_m(stand, RIGHT) - before) > 0.003


def test_an_arm_that_is_not_in_the_cell_moves_nothing(stand: ControlStand) -> None:
    take_over(stand, LEFT)
    before = [reference_m(stand, arm) for arm in (LEFT, RIGHT)]
    stand.drive_for(40, dead_man=False, arm=topics.NO_ARM)
    stand.drive_for(300, dead_man=True, axes=FORWARD, arm=topics.NO_ARM)
    for arm in (LEFT, RIGHT):
        np.testing.assert_allclose(reference_m(stand, arm), before[arm], atol=1e-9)


@pytest.mark.parametrize("arm", [LEFT, RIGHT])
def test_a_fault_of_either_arm_latches_both_and_says_which(stand: ControlStand, arm: int) -> None:
    name = ("left", "right")[arm]
    broken = replace(START, braking=True, fault="a joint turned too fast")
    if arm == LEFT:
        stand.arm = broken
    else:
        stand.others = [broken]
    stand.begin_autonomy()
    stand.run(50)
    assert stand.mode == "fault"
    assert stand.cause == f"The arm {name} stopped itself: a joint turned too fast."
    assert all(channel.gate.gripper_held for channel in stand.controller.channels)
    request = stand.ask(Clear)
    stand.run(160)
    assert stand.clears_sent == 1, "both are asked to leave their brake"
    assert stand.answer(request) is None
    stand.arm, stand.others = START, [START]
    stand.run(20)
    answer = stand.answer(request)
    assert answer is not None
    assert answer.accepted


def test_an_arm_that_stops_during_a_clear_voids_it(stand: ControlStand) -> None:
    """Its own reason to stop would be released unseen, with the brake of the other one."""
    stand.arm = replace(START, braking=True, fault="a joint turned too fast")
    stand.run(50)
    request = stand.ask(Clear)
    stand.run(50)
    stand.others = [replace(START, braking=True, fault="contact")]
    stand.run(10)
    answer = stand.answer(request)
    assert answer is not None
    assert not answer.accepted
    assert "The arm right stopped itself: contact." in answer.reason
    stand.run(300)
    assert stand.clears_sent == 0
    assert stand.mode == "fault"


@pytest.mark.parametrize("arm", [LEFT, RIGHT])
def test_a_speed_that_is_no_number_is_no_rest_whichever_arm_has_it(
    stand: ControlStand, arm: int
) -> None:
    unknown = replace(START, twist=np.full(6, np.nan))
    stand.arm, stand.others = (unknown, [START]) if arm == LEFT else (START, [unknown])
    stand.tick()
    assert np.isnan(stand.controller.speed_m_s)
    assert bool(stand.status["moving"])


@pytest.mark.parametrize("arm", [LEFT, RIGHT])
def test_while_one_arm_is_not_measured_the_policy_moves_neither(
    stand: ControlStand, arm: int
) -> None:
    stand.begin_autonomy()
    action = [0.0] * 14
    action[0], action[8] = 0.4, -0.4
    results_of(stand, 130, chunk=offered(stand, action))
    other = stand.controller.channels[RIGHT if arm == LEFT else LEFT]
    assert other.verdict.source == "policy"
    unknown = replace(START, twist=np.full(6, np.nan))
    stand.arm, stand.others = (unknown, [START]) if arm == LEFT else (START, [unknown])
    stand.tick()
    assert other.verdict.source == "hold"


def test_a_takeover_of_one_arm_leaves_the_reference_of_the_resting_one(
    stand: ControlStand,
) -> None:
    """It carries something: each takeover would let it sag by its steady error once more."""
    sags = replace(START, position_m=START.position_m - np.array([0.0, 0.0, 0.005]))
    stand.others = [sags]
    stand.run(500)
    before = reference_m(stand, RIGHT)
    take_over(stand, LEFT)
    stand.drive_for(300, dead_man=True, axes=FORWARD, arm=LEFT)
    np.testing.assert_allclose(reference_m(stand, RIGHT), before, atol=1e-9)


def test_the_robot_is_home_when_every_arm_is(stand: ControlStand) -> None:
    goals = [HomePose(position_m=START.position_m, quaternion=START.quaternion_wxyz, gripper=0.0)]
    goals.append(replace(goals[0], position_m=START.position_m + np.array([0.0, 0.018, 0.0])))
    for channel, goal in zip(stand.controller.channels, goals, strict=True):
        channel.settings = replace(channel.settings, home=goal)
    events = [*stand.tick(intents=[messages.GoHome()]).out.events]
    for _ in range(400):
        events += stand.tick().out.events
    right = stand.controller.channels[RIGHT].gate.position_m
    np.testing.assert_allclose(right, goals[RIGHT].position_m, atol=1e-3)
    assert stand.mode == "resetting", "the right one is not measured there"
    moved = replace(START, position_m=goals[RIGHT].position_m)
    stand.others = [moved]
    for _ in range(100):
        events += stand.tick().out.events
    assert any(isinstance(event, messages.HomeReached) for event in events)
    assert stand.mode == "idle"
