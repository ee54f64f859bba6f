"""Review: find, play, step, relabel, annotate, link to a frame."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console import HASH_OF_CANVAS, Console
from tests.browser.standin import StandIn

pytestmark = pytest.mark.browser


@pytest.fixture
def recorded(console: Console, robot: StandIn) -> Console:
    """One finished episode of two seconds and more, with an intervention; opened."""
    console.start_episode()
    console.page.wait_for_timeout(500)
    with console.driving("a"):
        console.page.wait_for_timeout(1000)
    console.give_back()
    console.page.wait_for_timeout(500)
    console.succeed()
    console.expect_stage("confirm_reset")
    console.open_newest_episode()
    return console


def test_the_jump_button_goes_to_the_intervention(recorded: Console) -> None:
    recorded.part("interventions").get_by_role("button").first.click()
    title = recorded.painted("correction").get_attribute("title") or ""  # by default
    first = re.search(r"step (\d+)", title)
    assert first is not None
    assert recorded.position() == int(first[1])


def test_stepping_shows_the_pictures_of_that_step(recorded: Console) -> None:
    picture = recorded.part("picture-front")
    seen: set[int] = set()
    for _ in range(4):
        recorded.page.keyboard.press(".")
        recorded.page.wait_for_timeout(300)
        seen.add(picture.evaluate(HASH_OF_CANVAS))
    assert recorded.position() == 4
    assert len(seen) == 4  # the stand-in's mark moves with every step


def test_playing_reaches_the_end_and_stops(recorded: Console) -> None:
    recorded.page.get_by_text("4×").click()
    recorded.part("play").click()
    expect(recorded.part("play")).to_have_text("Pause")
    expect(recorded.part("play")).to_have_text("Play")
    assert recorded.position() > 15


def test_a_link_opens_at_the_same_frame(recorded: Console) -> None:
    for _ in range(7):
        recorded.page.keyboard.press(".")
    recorded.page.wait_for_url(re.compile(r"\?step=7"))
    recorded.page.reload()
    expect(recorded.part("position")).to_have_attribute("data-step", "7")


def test_a_relabel_is_added_to_the_history(recorded: Console) -> None:
    labels = recorded.part("labels")
    labels.get_by_text("failure").click()
    labels.get_by_label("Note").fill("the cube fell afterwards")
    recorded.part("relabel").click()
    history = recorded.part("label-history").get_by_role("listitem")
    expect(history).to_have_count(2)
    expect(history.first).to_contain_text("failure")
    expect(history.first).to_contain_text("the cube fell afterwards")
    expect(recorded.episodes().first).to_contain_text("failure")


def test_an_annotation_keeps_its_range(recorded: Console) -> None:
    for _ in range(3):
        recorded.page.keyboard.press(".")
    recorded.page.keyboard.press("i")
    for _ in range(4):
        recorded.page.keyboard.press(".")
    recorded.page.keyboard.press("o")
    notes = recorded.part("annotations")
    notes.get_by_label("What happens here?").fill("hesitates")
    notes.get_by_role("button", name="Annotate range").click()
    saved = notes.get_by_role("listitem")
    expect(saved).to_contain_text("hesitates")
    expect(saved).to_contain_text("step 3 – 7")


def test_a_frame_is_marked_for_the_success_classifier(recorded: Console) -> None:
    for _ in range(3):
        recorded.page.keyboard.press(".")
    recorded.part("frame-mark").get_by_role("button", name="shows success").click()
    marks = recorded.part("success-marks").locator("span")
    expect(marks).to_have_count(1)
    expect(marks.first).to_have_attribute("title", re.compile(r"shows success, step 3 – 3"))
    recorded.page.keyboard.press("n")  # said again: the newer word takes the older one's place
    expect(marks).to_have_count(1)
    expect(marks.first).to_have_attribute("data-success", "false")
    expect(recorded.part("annotations").get_by_role("listitem")).to_contain_text("no success")


def test_filters_are_in_the_address(recorded: Console, page: Page) -> None:
    recorded.page.goto(f"{recorded.url}/episodes?outcome=failure")
    expect(recorded.part("counts")).to_contain_text("0 found")
    recorded.page.goto(f"{recorded.url}/episodes?outcome=success&helped=true")
    expect(recorded.part("counts")).to_contain_text("1 found")
