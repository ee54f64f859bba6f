"""axe finds no serious issue on any page, light or dark."""

from pathlib import Path

import pytest

from tests.browser.console import Console
from tests.browser.standin import StandIn

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / "operator_ui" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}


def serious_issues(console: Console) -> list[str]:
    """What axe minds about the page as it is now."""
    console.page.evaluate(AXE.read_text())
    found = console.page.evaluate("axe.run()")
    return [
        f"{issue['id']}: {node['target']} {node['failureSummary']}"
        for issue in found["violations"]
        if issue["impact"] in SERIOUS
        for node in issue["nodes"]
    ]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_page_shuts_anybody_out(console: Console, robot: StandIn, theme: str) -> None:
    if theme == "light":
        console.page.get_by_role("button", name="Light theme").click()
    issues: dict[str, list[str]] = {"ready": serious_issues(console)}
    console.start_episode()
    with console.driving("w"):
        console.page.wait_for_timeout(500)
        issues["takeover"] = serious_issues(console)
    console.stop()
    console.expect_stopped()
    issues["stopped"] = serious_issues(console)
    console.clear()
    console.succeed()
    console.expect_stage("confirm_reset")
    console.page.keyboard.press("/")
    console.page.get_by_role("dialog").wait_for()
    console.page.wait_for_timeout(400)  # the dialog fades in
    issues["keys"] = serious_issues(console)
    console.page.keyboard.press("Escape")
    console.episodes().first.wait_for()
    issues["episodes"] = serious_issues(console)
    console.open_newest_episode()
    console.page.wait_for_timeout(500)
    issues["episode"] = serious_issues(console)
    for name in ("Policies", "Metrics"):
        console.go_to(name)
        console.page.get_by_role("heading", name=name).wait_for()
        issues[name] = serious_issues(console)
    assert {page: found for page, found in issues.items() if found} == {}
