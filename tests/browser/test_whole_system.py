"""A person at the real thing: the demo's own processes, on the data that a rehearsal left."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from robot_rl.rehearsal.client import LiveClient
from robot_rl.rehearsal.demo import login_link
from robot_rl.rehearsal.report import RehearsalReport
from robot_rl.rehearsal.system import System, SystemSettings
from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(400)]

ROBOT = "panda-sim"


@pytest.fixture
def system(rehearsed: tuple[RehearsalReport, Path]) -> Iterator[System]:
    """In real time, on the rehearsal's data folder, as `robot-rl demo --data` would start it."""
    _, data = rehearsed
    settings = SystemSettings(
        cell="simulation", task="lift_cube", data=data, port=0, learner=False, restart=False
    )
    with System(settings) as running:
        yield running


class Watcher:
    """Asks the simulated robot itself where its arm is. Whoever does not read what the server sends
    is cut off after some seconds: open one when it is needed, and read on.
    """

    def __init__(self, system: System) -> None:
        self._client = LiveClient(system.url, ROBOT, system.tokens.operator, truth=True)

    def sees_the_arm(self) -> bool:
        self._client.pump(0.2)
        return self._client.seen.telemetry is not None

    def tcp_m(self) -> tuple[float, ...]:
        """Newest measured position of the TCP: everything that waits is read first."""
        while self._client.pump(0.0):
            pass
        while self._client.seen.telemetry is None or not self._client.pump(0.2):
            self._client.pump(0.2)
        return self._client.seen.telemetry.arms["arm"].tcp_position_m

    def close(self) -> None:
        self._client.close()


def test_a_person_takes_over_moves_the_arm_and_finds_the_episode(
    page: Page, system: System
) -> None:
    with closing(Watcher(system)) as watcher:
        system.wait_for(watcher.sees_the_arm, 120, "the robot's control sends nothing")
    console = Console(page, system.url)
    console.sign_in(login_link(system))
    page.set_default_timeout(60_000)
    for camera in ("front", "wrist"):
        console.expect_moving_video(camera, pictures=1)
    console.episodes()
    expect(console.part("episode-row").first).to_be_visible()  # the rehearsal's episodes
    console.go_to("Live")

    if console.part("stage").get_attribute("data-stage") != "ready":
        console.confirm_reset()
    with closing(Watcher(system)) as watcher:
        console.start_episode()
        console.expect_moving_video("wrist")
        with console.driving("w"):
            start_m = watcher.tcp_m()[0]
            moved_m = 0.0
            for _ in range(100):
                moved_m = watcher.tcp_m()[0] - start_m
                if moved_m >= 0.05:
                    break
                page.wait_for_timeout(50)
            assert moved_m >= 0.05
            page.keyboard.press("c")
            expect(console.part("mode")).to_contain_text("correction")
            page.wait_for_timeout(500)
        console.give_back()
        console.succeed()

    console.expect_stage("confirm_reset")
    console.open_newest_episode()
    expect(console.painted("recovery").first).to_be_visible()
    expect(console.part("label-history")).to_contain_text("success")
