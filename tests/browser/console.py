"""The console as a person uses it: what can be seen and pressed, by name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect

# Changes whenever any pixel does.
HASH_OF_CANVAS = """canvas => {
  const {width, height} = canvas;
  if (width === 0 || height === 0) return null;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let hash = 0;
  for (let i = 0; i < data.length; i += 1) hash = (hash * 31 + data[i]) | 0;
  return hash;
}"""
DEADMAN = "v"
GIVE_BACK = "b"
STOP_KEY = "F8"
POLL_MS = 50
POLLS = 200


class Console:
    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    # ---- getting in --------------------------------------------------------------------------

    def sign_in(self, link: str) -> None:
        """Opens the one-time link and waits for the live page of the only robot."""
        self.page.goto(link)
        self.page.wait_for_url(re.compile(r"/robots/[^/]+/live"))
        expect(self.part("mode")).not_to_have_text(re.compile("NO DATA|STARTING"))

    # ---- the live page -----------------------------------------------------------------------

    def expect_mode(self, mode: str) -> None:
        expect(self.part("mode")).to_contain_text(mode.upper())

    def expect_stage(self, stage: str) -> None:
        expect(self.part("stage")).to_have_attribute("data-stage", stage)

    def picture(self, camera: str) -> int | None:
        """A number that changes with the picture; None before the first one."""
        return self.part(f"camera-{camera}").evaluate(HASH_OF_CANVAS)

    def expect_moving_video(self, camera: str, pictures: int = 3) -> None:
        """Waits until this many different pictures were drawn."""
        seen: set[int] = set()
        for _ in range(POLLS):
            found = self.picture(camera)
            if found is not None:
                seen.add(found)
            if len(seen) >= pictures:
                return
            self.page.wait_for_timeout(POLL_MS)
        raise AssertionError(f"camera {camera} drew {len(seen)} different pictures, not {pictures}")

    def start_episode(self) -> None:
        """One press, as soon as the page offers it: a robot that offers to start does."""
        self.part("action-start").click()
        self.expect_stage("running")

    @contextmanager
    def driving(self, *keys: str) -> Iterator[None]:
        """Holds the dead-man and these keys; the robot is taken over inside."""
        self.page.keyboard.down(DEADMAN)
        self.expect_mode("takeover")
        for key in keys:
            self.page.keyboard.down(key)
        try:
            yield
        finally:
            for key in (*keys, DEADMAN):
                self.page.keyboard.up(key)

    def give_back(self) -> None:
        self.page.keyboard.press(GIVE_BACK)

    def succeed(self) -> None:
        self.part("action-success").click()

    def fail(self, failure_class: int, note: str) -> None:
        """The number is the class's key."""
        self.page.keyboard.press(str(failure_class))
        self.page.keyboard.press("n")
        self.page.keyboard.type(note)
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Backspace")

    def confirm_reset(self) -> None:
        self.expect_stage("confirm_reset")
        self.part("action-reset").click()
        self.expect_stage("ready")

    def stop(self) -> None:
        self.part("stop").click()

    def expect_stopped(self) -> None:
        expect(self.part("stop-status")).to_contain_text("stopped")

    def clear(self) -> None:
        self.part("clear").click()

    # ---- review ------------------------------------------------------------------------------

    def go_to(self, name: str) -> None:
        self.page.get_by_role("navigation").get_by_role("link", name=name).click()

    def episodes(self) -> Locator:
        self.go_to("Episodes")
        return self.part("episode-row")

    def open_newest_episode(self) -> None:
        self.episodes().first.click()
        expect(self.part("review-timeline")).to_be_visible()

    def painted(self, driver: str) -> Locator:
        """Stretches of the timeline painted for one driver: policy, recovery, correction …"""
        return self.part("review-timeline").locator(f'[data-driver="{driver}"][title]')

    def position(self) -> int:
        return int(self.part("position").get_attribute("data-step") or -1)
