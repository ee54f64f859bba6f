"""People sign in with a name and a password; an admin makes people and tokens in the browser."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from robot_rl.server.accounts import users
from robot_rl.server.accounts.roles import Role
from tests.browser.conftest import Stack
from tests.browser.console import Console
from tests.browser.standin import StandIn
from tests.browser.test_accessibility import serious_issues
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


def sign_in(page: Page, name: str, password: str) -> None:
    form = page.get_by_test_id("signin")
    form.get_by_label("Name").fill(name)
    form.get_by_role("textbox", name="Password").fill(password)
    form.get_by_role("button", name="Sign in").click()


def test_an_admin_resets_a_forgotten_password(
    page: Page, server: RunningServer, stack: Stack, robot: StandIn
) -> None:
    users.add(server.database, "ada", Role.ADMIN, PASSWORD, by="test")
    users.add(server.database, "bob", Role.OPERATOR, PASSWORD, by="test")
    page.goto(stack.url)
    sign_in(page, "ada", PASSWORD)
    page.get_by_role("link", name="My account: ada").click()
    page.get_by_role("link", name="Users").click()
    row = page.get_by_test_id("user-bob")
    row.get_by_role("button", name="Reset password").click()
    row.get_by_role("button", name="Reset the password of bob?").click()
    expect(row).to_contain_text("by link only")
    link = page.get_by_test_id("hand-over").locator("pre").inner_text()
    asked = {"name": "bob", "password": PASSWORD}
    assert httpx.post(f"{stack.url}/api/sign-in", json=asked).status_code == 401

    page.context.clear_cookies()
    page.goto(link)
    page.get_by_role("link", name="My account: bob").click()
    page.get_by_role("textbox", name="New password").fill("another horse battery")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The password is changed.")).to_be_visible()
    asked["password"] = "another horse battery"
    assert httpx.post(f"{stack.url}/api/sign-in", json=asked).status_code == 200


def test_an_admin_makes_people_and_tokens(
    page: Page, server: RunningServer, stack: Stack, robot: StandIn
) -> None:
    users.add(server.database, "ada", Role.ADMIN, PASSWORD, by="test")
    console = Console(page, stack.url)
    page.goto(stack.url)
    expect(page.get_by_test_id("signin")).to_be_visible()
    issues = {"signin": serious_issues(console)}
    sign_in(page, "ada", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("do not fit")
    sign_in(page, "ada", PASSWORD)
    expect(page.get_by_test_id("mode")).to_be_visible()
    page.get_by_role("link", name="My account: ada").click()
    expect(page.get_by_test_id("sessions")).to_contain_text("this browser")
    issues["account"] = serious_issues(console)

    page.get_by_role("link", name="Users").click()
    adding = page.get_by_test_id("add-user")
    adding.get_by_label("Name").fill("bob")
    adding.get_by_label("Role").select_option("viewer")
    adding.get_by_role("button", name="Add").click()
    row = page.get_by_test_id("user-bob")
    expect(row).to_contain_text("by link only")
    row.get_by_role("button", name="Sign-in link").click()
    link = page.get_by_test_id("hand-over").locator("pre").inner_text()
    assert httpx.get(link).status_code == 303
    issues["users"] = serious_issues(console)
    row.get_by_role("button", name="Remove").click()
    row.get_by_role("button", name="Remove bob?").click()
    expect(row).to_have_count(0)

    page.get_by_role("link", name="Tokens").click()
    making = page.get_by_test_id("make-token")
    making.get_by_label("Name").fill("panda_9")
    making.get_by_role("button", name="Make").click()
    secret = page.get_by_test_id("hand-over").locator("pre").inner_text()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{stack.url}/api/me", headers=bearer).json()["name"] == "panda_9"
    issues["tokens"] = serious_issues(console)
    token = page.get_by_test_id("token-panda_9")
    token.get_by_role("button", name="Revoke").click()
    token.get_by_role("button", name="Revoke panda_9?").click()
    expect(token).to_contain_text("revoked")
    assert httpx.get(f"{stack.url}/api/me", headers=bearer).status_code == 401

    page.get_by_role("link", name="My account", exact=True).click()
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_test_id("signin")).to_be_visible()
    assert {name: found for name, found in issues.items() if found} == {}
