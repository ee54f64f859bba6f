"""A real browser on the built console, a real server behind it, and a stand-in for the robot.

`stack` is the seam: whatever gives an address and one-time links can be put in its place.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.settings import CONSOLE_FOLDER, ServerSettings
from tests.browser.console import Console
from tests.browser.standin import StandIn
from tests.server.conftest import RunningServer, serving, temporary_database
from tests.server.conftest import postgres as postgres  # the session's database

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WINDOW: ViewportSize = {"width": 1440, "height": 900}
TIMEOUT_MS = 20_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the system; `make setup` installs it.

    Playwright keeps an event loop running in this thread, so `tests/conftest.py` puts these last.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on this machine: install it with `make setup`")
    if not (CONSOLE_FOLDER / "index.html").is_file():
        pytest.skip("the console is not built: build it with `make ui`")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh profile. The test fails on an error that the page did not catch."""
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A system to try the console on."""

    url: str
    login_link: Callable[[], str]


@pytest.fixture
def server(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[RunningServer]:
    """A server of this test's own, empty; it serves the console that `make ui` built."""
    with (
        temporary_database(postgres) as database,
        serving(ServerSettings(data=tmp_path / "data", port=0), database) as running,
    ):
        yield running


@pytest.fixture
def robot(server: RunningServer) -> Iterator[StandIn]:
    stand_in = StandIn(server)
    yield stand_in
    stand_in.close()


@pytest.fixture
def stack(server: RunningServer, robot: StandIn) -> Stack:
    return Stack(url=server.url, login_link=server.login_link)


@pytest.fixture
def console(page: Page, stack: Stack) -> Console:
    """Signed in, on the live page of the only robot."""
    opened = Console(page, stack.url)
    opened.sign_in(stack.login_link())
    return opened
