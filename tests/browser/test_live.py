"""The live page: watch, take over, let go, label, stop."""

import re
from uuid import UUID

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from safety.faults import FaultCode
from tests.browser.conftest import Stack
from tests.browser.console import DEADMAN, STOP_KEY, Console
from tests.browser.standin import StandIn
from tests.server.conftest import RunningServer
from tests.server.live_sockets import dial_robot, say, telemetry

pytestmark = pytest.mark.browser


def wait_until_moved(console: Console, robot: StandIn, metres: float) -> None:
    start = robot.now.position_m["arm"][0]
    for _ in range(200):
        if robot.now.position_m["arm"][0] - start >= metres:
            return
        console.page.wait_for_timeout(50)
    raise AssertionError(f"the arm moved {robot.now.position_m['arm'][0] - start:.3f} m")


def test_a_stranger_is_told_how_to_sign_in(page: Page, stack: Stack) -> None:
    page.goto(stack.url)
    expect(page.get_by_test_id("signin")).to_contain_text("one-time link")
    page.goto(stack.login_link())
    expect(page.get_by_test_id("mode")).to_be_visible()


def test_a_person_watches_drives_lets_go_and_labels(console: Console, robot: StandIn) -> None:
    for camera in ("front", "wrist"):
        console.expect_moving_video(camera)
    console.start_episode()
    console.expect_mode("autonomous")
    with console.driving("w"):
        wait_until_moved(console, robot, 0.05)
        console.page.keyboard.press("c")
        expect(console.part("mode")).to_contain_text("correction")
        console.page.wait_for_timeout(500)
    console.give_back()
    console.expect_mode("autonomous")
    assert robot.now.interventions == 1  # one press, one takeover
    console.succeed()
    console.confirm_reset()

    console.open_newest_episode()
    expect(console.painted("recovery")).to_have_count(1)
    expect(console.painted("correction")).to_have_count(1)
    expect(console.part("label-history")).to_contain_text("success")


def test_a_start_is_offered_when_the_robot_can_start(console: Console, robot: StandIn) -> None:
    """Pressed while a camera had no fresh picture, the button led to a refusal only."""
    robot.now.start_refusal = "Camera wrist delivers no fresh images."
    expect(console.part("start-refusal")).to_have_text("Camera wrist delivers no fresh images.")
    expect(console.part("action-start")).to_be_disabled()
    robot.now.start_refusal = ""
    console.start_episode()
    expect(console.part("start-refusal")).to_have_count(0)


def test_the_times_of_the_loop_are_shown_and_driving_goes_on(
    console: Console, robot: StandIn
) -> None:
    console.start_episode()
    expect(console.part("loop")).to_have_text("80 µs")
    console.part("loop").click()
    expect(console.part("loop-times")).to_contain_text("p99.9")
    with console.driving("w"):
        wait_until_moved(console, robot, 0.01)
    console.part("loop").click()
    expect(console.part("loop-times")).to_have_count(0)


def test_who_waits_for_control_can_withdraw(console: Console, robot: StandIn) -> None:
    robot.now.holder, robot.now.holder_id = "bob", UUID(int=9)
    button = console.part("lease")
    button.click()
    expect(button).to_have_text("Withdraw your request for control")
    button.click()
    expect(button).to_have_text("Take control")
    assert robot.now.asked_by is None
    assert robot.now.holder == "bob"


def test_letting_go_is_an_explicit_zero(console: Console, robot: StandIn) -> None:
    console.start_episode()
    with console.driving("w"):
        wait_until_moved(console, robot, 0.01)
    console.page.wait_for_timeout(100)
    assert robot.now.drive is not None
    assert not robot.now.drive.deadman
    assert set(robot.now.drive.axes) == {0.0}
    # The hand may rest: as long as the page speaks, the robot holds and stays taken over.
    sent = robot.drives
    console.page.wait_for_timeout(700)
    assert robot.drives > sent
    console.expect_mode("takeover")


@pytest.mark.parametrize("gesture", ["help", "note", "blur"])
@pytest.mark.injects(FaultCode.PAGE_FROZEN)
def test_whatever_takes_the_hands_away_lets_go(
    console: Console, robot: StandIn, gesture: str
) -> None:
    console.start_episode()
    with console.driving("w"):
        wait_until_moved(console, robot, 0.01)
        if gesture == "blur":
            console.page.evaluate("window.dispatchEvent(new Event('blur'))")
        else:
            console.page.keyboard.press("/" if gesture == "help" else "n")
        console.page.wait_for_timeout(150)
        assert robot.now.drive is not None
        assert not robot.now.drive.deadman


def test_a_failure_carries_its_class_and_note(console: Console, robot: StandIn) -> None:
    console.start_episode()
    console.fail(2, "slipped out of the gripper")
    console.confirm_reset()
    row = console.episodes().first
    expect(row).to_contain_text("failure")
    expect(row).to_contain_text("dropped")
    expect(row).to_contain_text("slipped out of the gripper")


def test_typing_presses_no_keys_of_the_robot(console: Console, robot: StandIn) -> None:
    console.start_episode()
    console.page.keyboard.press("n")
    console.page.keyboard.type("v w r 1 b t")
    console.expect_stage("running")
    console.expect_mode("autonomous")
    console.page.keyboard.press("Escape")
    console.expect_stage("running")


def test_stop_works_on_every_page_and_shows_how_far_it_is(console: Console, robot: StandIn) -> None:
    console.start_episode()
    console.go_to("Policies")
    box = console.part("stop").bounding_box()
    assert box is not None
    assert box["height"] >= 64
    console.stop()
    console.expect_stopped()
    assert robot.now.mode == "stopped"
    console.clear()
    expect(console.part("stop-status")).to_contain_text("software")
    assert robot.now.mode == "paused"  # clearing never starts motion


def test_the_stop_key_works_while_typing_and_in_a_dialog(console: Console, robot: StandIn) -> None:
    for key in ("n", "/"):
        console.page.keyboard.press(key)
        console.page.wait_for_timeout(300)
        console.page.keyboard.press(STOP_KEY)
        console.expect_stopped()
        console.page.keyboard.press("Escape")
        console.clear()
        expect(console.part("stop-status")).to_contain_text("software")


def test_a_robot_that_starts_says_what_is_waited_for(page: Page, server: RunningServer) -> None:
    """Its link is there before control, arm and cameras have reported."""
    link = server.login_link()
    with dial_robot(server) as robot:
        page.goto(link)
        page.wait_for_url(re.compile(r"/robots/[^/]+/live"))
        banner = page.get_by_test_id("mode-banner")
        expect(banner).to_contain_text("STARTING")
        expect(banner).to_contain_text("Waiting for its control, arm and cameras")
        expect(page.get_by_test_id("action-start")).to_be_disabled()
        say(robot, telemetry(1))
        expect(page.get_by_test_id("mode")).to_have_text("AUTONOMOUS")
    expect(page.get_by_test_id("mode")).to_have_text("NO DATA")


def test_a_lost_connection_is_loud_and_an_unsent_stop_says_so(
    console: Console, robot: StandIn
) -> None:
    console.page.context.set_offline(True)
    robot.server.uvicorn.should_exit = True
    expect(console.part("connection-lost")).to_be_visible()
    console.stop()
    expect(console.part("stop-status")).to_contain_text("NOT SENT")


def test_an_arm_that_was_driven_away_is_sent_home_again(console: Console, robot: StandIn) -> None:
    """While "Prepare the scene" stood, no button led out."""
    console.start_episode()
    console.succeed()
    console.expect_stage("confirm_reset")
    robot.now.away = True
    console.part("action-reset").click()
    expect(console.part("notice")).to_contain_text("begin the reset first")
    console.part("action-home").click()
    console.confirm_reset()


def test_going_back_is_asked_for_shown_and_interrupted(console: Console) -> None:
    console.start_episode()
    console.page.keyboard.press("z")
    console.expect_mode("rewinding")
    expect(console.part("mode-banner")).to_contain_text("Rewinds: asked for by")
    expect(console.part("action-rewind")).to_be_disabled()
    console.page.wait_for_timeout(1000)
    console.page.keyboard.press("Space")
    console.expect_mode("paused")
    console.part("action-rewind").click()
    console.expect_mode("rewinding")
    console.succeed()
    console.confirm_reset()
    console.open_newest_episode()
    expect(console.painted("rewind")).not_to_have_count(0)


def test_after_a_lost_connection_only_a_new_press_takes_over(
    console: Console, robot: StandIn
) -> None:
    """The page came back and took over by itself, because the dead-man was still held."""
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    console.page.route_web_socket(re.compile(r"/api/live/robots/[^/]+$"), pass_on)
    console.page.reload()
    console.expect_mode("idle")
    console.start_episode()
    console.page.keyboard.down(DEADMAN)
    console.expect_mode("takeover")
    sockets[-1].close()
    console.expect_mode("paused")
    console.page.wait_for_timeout(1500)
    assert len(sockets) == 2  # the page is back, with the dead-man still held
    assert robot.now.interventions == 1
    console.expect_mode("paused")
    expect(console.part("mode-banner")).to_contain_text("The connection was lost")
    console.page.keyboard.up(DEADMAN)
    expect(console.part("mode-banner")).not_to_contain_text("The connection was lost")
    console.page.keyboard.down(DEADMAN)
    console.expect_mode("takeover")
    console.page.keyboard.up(DEADMAN)
    assert robot.now.interventions == 2


def test_one_press_is_one_takeover(console: Console, robot: StandIn) -> None:
    console.start_episode()
    with console.driving("w"):
        console.give_back()
        console.expect_mode("autonomous")
        console.page.wait_for_timeout(700)
        console.expect_mode("autonomous")
        expect(console.part("mode-banner")).to_contain_text("Your takeover is over")
    assert robot.now.interventions == 1


def test_a_refusal_is_shown_in_the_robots_words(console: Console, robot: StandIn) -> None:
    console.part("lease").click()
    expect(console.part("holder")).to_have_text("you")
    console.page.keyboard.down("v")
    expect(console.part("notice")).to_contain_text("no episode is running")
    console.page.keyboard.up("v")


def test_the_hardware_emergency_stop_is_named_on_every_page(
    console: Console, robot: StandIn
) -> None:
    for page in ("Live", "Policies"):
        console.go_to(page)
        expect(console.part("hardware-stop")).to_contain_text("left of the table")
        expect(console.part("stop")).to_have_attribute("title", re.compile("left of the table"))


def test_a_person_takes_over_with_the_device_at_the_robot(console: Console, robot: StandIn) -> None:
    expect(console.part("local-takeover")).to_have_count(0)
    robot.now.device_name = "spacemouse"
    console.start_episode()  # takes the lease along
    console.part("local-takeover").click()
    console.expect_mode("takeover")
    assert robot.now.taken_over_with == "spacemouse"
    # The hand is at the robot; the page keeps the lease alive meanwhile.
    console.page.wait_for_timeout(800)
    console.expect_mode("takeover")
    console.part("give-back").click()
    console.expect_mode("autonomous")


def test_keep_going_runs_episode_after_episode_until_a_stop(
    console: Console, robot: StandIn
) -> None:
    def on() -> bool:
        return console.part("keep-going").is_checked()

    assert not on()
    console.part("keep-going").click()
    console.expect_stage("running")
    assert robot.now.holder is None  # it does not take the lease
    console.succeed()
    console.expect_stage("confirm_reset")
    console.expect_stage("running")
    assert (robot.now.number, on()) == (2, True)
    console.stop()
    console.expect_stopped()
    assert not on()
    expect(console.part("continuation")).to_contain_text("was stopped")


def test_a_limit_profile_is_switched_by_keyboard_and_what_the_task_chose_stays(
    console: Console, robot: StandIn
) -> None:
    fragile, hot = console.part("profile-fragile"), console.part("profile-hot")
    expect(hot).to_be_disabled()
    expect(console.part("profiles")).to_contain_text("chosen by the task, stays on")
    expect(fragile).to_have_attribute("aria-pressed", "false")
    fragile.focus()
    console.page.keyboard.press("Enter")
    expect(fragile).to_have_attribute("aria-pressed", "true")
    expect(console.part("profiles-effect")).to_have_text(
        "In force: at most 0.15 m/s, at most 10 N at rest"
    )
    assert robot.now.holder is None, "tightening needs no control"
    fragile.click()
    expect(fragile).to_have_attribute("aria-pressed", "false")
    assert robot.now.holder is not None, "loosening took it"
