"""What a takeover is for training: asked when it is over, kept with its history."""

import pytest
from playwright.sync_api import Route, expect

from robot_rl.schema.feed import FeedPage, InterventionDecided
from tests.browser.console import Console
from tests.browser.standin import StandIn
from tests.server.recordings import TASK

pytestmark = pytest.mark.browser


def drive(console: Console, *, mark: bool = False) -> None:
    """A short takeover, given back."""
    with console.driving("a"):
        console.page.wait_for_timeout(400)
        if mark:
            console.page.keyboard.press("c")
            expect(console.part("mode")).to_contain_text("correction")
            console.page.wait_for_timeout(300)
    console.give_back()
    console.expect_mode("autonomous")  # the question holds nothing up


def review(console: Console) -> None:
    console.succeed()
    console.expect_stage("confirm_reset")
    console.open_newest_episode()


def fed(robot: StandIn) -> list[str]:
    """What the learner is told, in order."""
    with robot.server.client("learner") as learner:
        answer = learner.get("/api/feed", params={"task": TASK, "after": 0})
    events = [item.event for item in FeedPage.model_validate_json(answer.content).items]
    return [event.use for event in events if isinstance(event, InterventionDecided)]


def test_a_takeover_without_key_c_is_a_correction_unless_the_person_says_otherwise(
    console: Console, robot: StandIn
) -> None:
    robot.now.max_steps = 1000  # the question alone stays as long as an episode of the stand-in
    console.start_episode()
    drive(console)
    question = console.part("takeover-question")
    expect(question).to_contain_text("What is your takeover for training?")
    expect(console.part("takeover-correction")).to_have_attribute("aria-pressed", "true")
    expect(question).to_have_count(0, timeout=15_000)  # nobody answers
    drive(console)
    console.page.keyboard.press("x")
    expect(console.part("takeover-discard")).to_have_attribute("aria-pressed", "true")
    expect(question).to_have_count(0)
    drive(console)  # the last choice is the default now
    expect(console.part("takeover-discard")).to_contain_text("applies unless you choose")
    console.page.keyboard.press("p")
    expect(console.part("takeover-recovery")).to_have_attribute("aria-pressed", "true")
    review(console)
    assert fed(robot) == ["correction", "discard", "recovery"]
    history = console.part("decision-history")
    expect(history).to_have_count(3)
    expect(history.nth(0)).to_contain_text("by default")
    expect(history.nth(2).get_by_role("listitem")).to_have_count(2)
    expect(console.painted("correction")).to_have_count(1)
    expect(console.painted("discarded")).to_have_count(1)
    uses = console.part("takeover-uses")
    uses.get_by_text("Correction", exact=True).nth(1).click()
    expect(history.nth(1).get_by_role("listitem")).to_have_count(3)
    expect(console.painted("correction")).to_have_count(2)
    assert fed(robot)[-1] == "correction"


def test_after_key_c_nothing_is_asked_and_the_choice_is_still_there(
    console: Console, robot: StandIn
) -> None:
    console.start_episode()
    drive(console, mark=True)
    expect(console.part("takeover-question")).to_contain_text("is kept")
    review(console)
    assert fed(robot) == []
    expect(console.part("takeover-uses")).to_contain_text("Nobody has decided")


def test_a_decision_waits_for_a_server_that_is_away(console: Console, robot: StandIn) -> None:
    away = [True]

    def answer(route: Route) -> None:
        if away[0]:
            route.abort()
        else:
            route.continue_()

    console.page.route("**/decisions", answer)
    console.start_episode()
    drive(console)
    console.page.keyboard.press("p")
    expect(console.page.get_by_text("Not stored yet")).to_be_visible()
    away[0] = False
    expect(console.page.get_by_text("Not stored yet")).to_have_count(0)
    review(console)
    assert fed(robot) == ["recovery"]


def test_a_page_that_is_left_while_driving_says_what_is_usual(
    console: Console, robot: StandIn
) -> None:
    console.start_episode()
    with console.driving("a"):
        console.page.wait_for_timeout(400)
        console.go_to("Policies")
        console.page.wait_for_timeout(1000)  # nobody speaks for the person any more
    console.go_to("Live")
    console.expect_mode("paused")
    console.succeed()
    console.expect_stage("confirm_reset")
    assert fed(robot) == ["correction"]


def test_an_evaluation_asks_nothing(console: Console, robot: StandIn) -> None:
    console.page.get_by_text("evaluation", exact=True).click()
    console.start_episode()
    drive(console)
    console.page.wait_for_timeout(500)
    expect(console.part("takeover-question")).to_have_count(0)
