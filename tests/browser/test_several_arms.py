"""A robot with two arms: both are shown, and the hand drives the chosen one."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.console import DEADMAN, Console
from tests.browser.standin import START_M, StandIn
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.browser

ARM_KEY = "m"
GRIPPER_KEY = "g"
VALUE = "aria-valuetext"


@pytest.fixture
def robot(server: RunningServer) -> Iterator[StandIn]:
    stand_in = StandIn(server, arms=("left", "right"))
    stand_in.now.gripper_m = {"left": 0.0, "right": 0.08}
    yield stand_in
    stand_in.close()


def said_arm(robot: StandIn) -> str | None:
    return robot.now.drive.arm if robot.now.drive else None


def moved_m(robot: StandIn, arm: str) -> float:
    return robot.now.position_m[arm][0] - START_M[0]


def wait_until_moved(console: Console, robot: StandIn, arm: str, metres: float) -> None:
    start = moved_m(robot, arm)
    for _ in range(200):
        if moved_m(robot, arm) - start >= metres:
            return
        console.page.wait_for_timeout(50)
    raise AssertionError(f"{arm} moved {moved_m(robot, arm) - start:.3f} m; said {said_arm(robot)}")


def test_a_person_drives_one_arm_then_the_other(console: Console, robot: StandIn) -> None:
    page, chooser = console.page, console.part("arm-chooser")
    forces = page.get_by_role("meter")
    expect(forces.and_(page.get_by_label("Force, left"))).to_have_attribute(VALUE, "6.4 / 20 N")
    expect(console.part("gripper-left")).to_have_text("0 mm")
    expect(forces.and_(page.get_by_label("Force, right"))).to_have_attribute(VALUE, "7.4 / 20 N")
    expect(console.part("gripper-right")).to_have_text("80 mm")
    expect(chooser.get_by_role("radio", name="left")).to_be_checked()

    console.start_episode()
    with console.driving("w"):
        wait_until_moved(console, robot, "left", 0.03)
        assert said_arm(robot) == "left"
        expect(chooser.get_by_role("radio", name="right")).to_be_disabled()
        expect(chooser).to_contain_text("Let go of V")
        page.keyboard.press(ARM_KEY)  # has no effect while the dead-man is held
        page.wait_for_timeout(150)
        assert said_arm(robot) == "left"
    assert moved_m(robot, "right") == 0

    chooser.get_by_text("right").click()
    page.wait_for_timeout(150)
    assert said_arm(robot) == "right"  # the page says it without the dead-man, too
    left_m = moved_m(robot, "left")
    with console.driving("w"):
        wait_until_moved(console, robot, "right", 0.03)
        page.keyboard.press(GRIPPER_KEY)  # the right one is open, so it closes
        expect(console.part("gripper-right")).to_have_text("0 mm")
    page.wait_for_timeout(150)
    assert robot.now.drive is not None
    assert not robot.now.drive.deadman  # letting go counts where the chooser had the focus
    assert moved_m(robot, "left") == left_m
    assert robot.now.gripper_m["left"] == 0

    page.keyboard.press(ARM_KEY)
    expect(chooser.get_by_role("radio", name="left")).to_be_checked()
    with console.driving():
        page.keyboard.press(GRIPPER_KEY)  # the left one is closed, so it opens
        expect(console.part("gripper-left")).to_have_text("80 mm")


def test_a_choice_counts_for_the_press_that_takes_over_without_the_lease(
    console: Console, robot: StandIn
) -> None:
    console.start_episode()
    console.part("lease").click()
    expect(console.part("holder")).not_to_have_text("you")
    console.page.keyboard.press(ARM_KEY)
    with console.driving("w"):
        wait_until_moved(console, robot, "right", 0.02)
    assert moved_m(robot, "left") == 0


def test_the_choice_outlives_the_page_and_review_names_the_columns(
    console: Console, robot: StandIn
) -> None:
    console.start_episode()
    console.page.keyboard.press(ARM_KEY)
    with console.driving("w"):
        wait_until_moved(console, robot, "right", 0.02)
        console.page.keyboard.press("c")
        console.page.wait_for_timeout(300)
    console.succeed()
    console.expect_stage("confirm_reset")
    console.open_newest_episode()
    plots = console.page.get_by_role("figure")
    expect(plots.filter(has_text="Action left_dy")).to_have_count(1)
    expect(plots.filter(has_text="Action right_dx")).to_have_count(1)
    expect(plots.filter(has_text="Action left_rx")).to_have_count(0)  # 0 throughout
    force = plots.filter(has_text="Force")
    expect(force).to_contain_text("left")
    expect(force).to_contain_text("right")
    console.go_to("Live")
    chosen = console.part("arm-chooser").get_by_role("radio", name="right")
    expect(chosen).to_be_checked()


def test_one_press_of_the_dead_man_is_let_go_from_a_chooser_with_the_focus(
    console: Console, robot: StandIn
) -> None:
    """A control that is disabled while it has the focus must not swallow the key's release."""
    console.start_episode()
    console.part("arm-chooser").get_by_role("radio", name="left").focus()
    console.page.keyboard.down(DEADMAN)
    console.expect_mode("takeover")
    console.page.keyboard.up(DEADMAN)
    console.page.wait_for_timeout(150)
    assert robot.now.drive is not None
    assert not robot.now.drive.deadman
