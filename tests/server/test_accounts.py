"""People sign in with a name and a password, and what ends their rights ends their sessions."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from websockets.sync.client import connect

from robot_rl.errors import BadInput, Conflict, TooOften
from robot_rl.schema.message import utc_now
from robot_rl.server import audit
from robot_rl.server.accounts import attempts, tokens, users
from robot_rl.server.accounts.attempts import SignInAttempts
from robot_rl.server.accounts.roles import Role
from robot_rl.server.accounts.tables import TokenTable, UserTable
from robot_rl.server.accounts.tokens import NewToken
from robot_rl.server.database import Database
from robot_rl.server.hub import CLOSE_SIGNED_OUT
from tests.server.conftest import RunningServer
from tests.server.test_access import closing

PASSWORD = "correct horse battery"
BY = "test"


@contextlib.contextmanager
def browser_of(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=30) as browser:
        yield browser


def sign_in(browser: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return browser.post("/api/sign-in", json={"name": name, "password": password})


@pytest.fixture
def browser(server: RunningServer) -> Iterator[httpx.Client]:
    """Signed in as Ada, an operator."""
    users.add(server.database, "ada", Role.OPERATOR, PASSWORD, by=BY)
    with browser_of(server) as opened:
        assert sign_in(opened, " Ada ").json() == {
            "name": "ada",
            "role": "operator",
            "account": True,
        }
        yield opened


@pytest.fixture
def admin(server: RunningServer) -> Iterator[httpx.Client]:
    """Signed in as the first admin, by the link that the server prints."""
    with browser_of(server) as opened:
        opened.get(server.login_link())
        yield opened


def actions(server: RunningServer) -> list[tuple[str, str, str]]:
    """Who did what to whom, oldest first."""
    found = audit.newest(server.database, 50, None)
    return [(entry.actor, entry.action, entry.target) for entry in reversed(found)]


def test_a_password_signs_in_and_is_kept_as_a_hash(
    server: RunningServer, browser: httpx.Client
) -> None:
    assert browser.get("/api/me").status_code == 200
    with server.database.engine.connect() as connection:
        kept = connection.execute(
            select(UserTable.password_hash).where(UserTable.name == "ada")
        ).scalar_one()
    assert kept is not None
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept
    assert ("ada", "sign_in.password", "ada") in actions(server)


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("eve", PASSWORD), ("operator", ""), ("", "")]
)
def test_what_does_not_fit_is_refused_alike(
    server: RunningServer, browser: httpx.Client, name: str, password: str
) -> None:
    with browser_of(server) as stranger:
        answer = sign_in(stranger, name, password)
        assert answer.status_code == 401
        assert "do not fit" in answer.json()["detail"]
        assert not stranger.cookies
    assert (name, "sign_in.refused", name) in actions(server)


def test_another_page_cannot_sign_a_browser_in(server: RunningServer) -> None:
    users.add(server.database, "ada", Role.OPERATOR, PASSWORD, by=BY)
    with httpx.Client(base_url=server.url, headers={"Origin": "http://evil.example"}) as evil:
        assert sign_in(evil, "ada").status_code == 403


def test_guessing_is_stopped_and_the_right_password_too(
    server: RunningServer, browser: httpx.Client
) -> None:
    with browser_of(server) as guesser:
        for _ in range(attempts.LIMITS[0].failures):
            assert sign_in(guesser, "ada", "wrong").status_code == 401
        answer = sign_in(guesser, "ada")
        assert answer.status_code == 429
        assert "sign-in link" in answer.json()["detail"]


@pytest.mark.parametrize("limit", attempts.LIMITS)
def test_failures_count_for_a_while(limit: attempts.AttemptLimit) -> None:
    counted = SignInAttempts()
    for number in range(limit.failures):
        name = "ada" if limit.by_name else f"n{number}"
        address = "10.0.0.1" if limit.by_address else f"10.0.0.{number}"
        counted.begin(name, address, float(number) / 100)
    late = limit.within_s + 1
    with pytest.raises(TooOften):
        counted.begin("ada", "10.0.0.1", limit.within_s - 1)
    counted.begin("ada", "10.0.0.1", late)
    counted.begin("bob", "10.0.0.2", 1.0)


def test_what_succeeded_does_not_count() -> None:
    counted = SignInAttempts()
    for _ in range(1000):
        counted.begin("ada", "10.0.0.1", 0.0)
        counted.succeeded("ada", "10.0.0.1", 0.0)


def test_the_memory_of_failures_is_bounded() -> None:
    counted = SignInAttempts()
    for number in range(2 * attempts.KEPT_KEYS):
        counted.begin(f"n{number}", f"a{number}", 0.0)
    assert len(counted._failed) <= attempts.KEPT_KEYS


def test_refused_attempts_push_out_no_count() -> None:
    counted = SignInAttempts()
    (of_one, of_address, _) = attempts.LIMITS
    for _ in range(of_one.failures):
        counted.begin("ada", "10.0.0.1", 0.0)
    for number in range(of_address.failures):
        counted.begin(f"n{number}", "10.0.0.2", 0.0)
    for number in range(2 * attempts.KEPT_KEYS):
        with pytest.raises(TooOften):
            counted.begin(f"other{number}", "10.0.0.2", 0.0)
    with pytest.raises(TooOften):
        counted.begin("ada", "10.0.0.1", 0.0)


def test_a_sign_in_whose_count_is_gone_succeeds() -> None:
    counted = SignInAttempts()
    counted.begin("ada", "10.0.0.1", 0.0)
    for number in range(attempts.KEPT_KEYS):
        counted.begin(f"n{number}", f"a{number}", 0.0)
    counted.succeeded("ada", "10.0.0.1", 0.0)


type Change = Callable[[RunningServer], Any]
ENDINGS: dict[str, Change] = {
    "password reset": lambda server: users.reset_password(server.database, "ada", by=BY),
    "removed": lambda server: users.remove(server.database, "ada", by=BY),
    "another password": lambda server: users.set_password(
        server.database, "ada", "another long one", by=BY
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_session_ends_with_what_made_it(
    server: RunningServer, browser: httpx.Client, admin: httpx.Client, ending: str
) -> None:
    name = server.settings.cookie
    headers = {"Origin": server.url, "Cookie": f"{name}={browser.cookies[name]}"}
    with connect(f"{server.live}/robots/r1", additional_headers=headers) as socket:
        ENDINGS[ending](server)  # as `robot-rl users …` does, in another process
        assert closing(socket) == CLOSE_SIGNED_OUT
    assert browser.get("/api/me").status_code == 401


def test_a_role_that_changes_holds_in_open_sessions(
    browser: httpx.Client, admin: httpx.Client
) -> None:
    assert browser.get("/api/audit").status_code == 403
    assert admin.patch("/api/users/ada", json={"role": "engineer"}).status_code == 200
    assert browser.get("/api/audit").status_code == 200
    assert browser.get("/api/me").json()["role"] == "engineer"


def test_what_a_token_signed_in_ends_with_the_token(
    server: RunningServer, admin: httpx.Client
) -> None:
    made = admin.post("/api/tokens", json={"role": "operator", "name": "script"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    link = httpx.post(server.url + "/api/login-links", headers=headers).json()["url"]
    with browser_of(server) as browser:
        browser.get(link)
        assert browser.get("/api/me").json()["name"] == "script"
        assert admin.delete(f"/api/tokens/{made['token']['token_id']}").status_code == 204
        assert browser.get("/api/me").status_code == 401
    assert httpx.get(server.url + "/api/me", headers=headers).status_code == 401


def test_my_sessions_are_listed_and_ended(
    server: RunningServer, browser: httpx.Client, admin: httpx.Client
) -> None:
    with browser_of(server) as other:
        other.headers["User-Agent"] = "A tablet"
        sign_in(other, "ada")
        mine = browser.get("/api/sessions").json()["sessions"]
        assert [(each["browser"] == "A tablet", each["here"]) for each in mine] == [
            (True, False),
            (False, True),
        ]
        (foreign,) = admin.get("/api/sessions").json()["sessions"]
        assert browser.delete(f"/api/sessions/{foreign['session_id']}").status_code == 404
        assert browser.get("/api/sessions", params={"everybody": True}).status_code == 403
        assert len(admin.get("/api/sessions", params={"everybody": True}).json()["sessions"]) == 3
        assert browser.delete(f"/api/sessions/{mine[0]['session_id']}").status_code == 204
        assert other.get("/api/me").status_code == 401
        assert browser.get("/api/me").status_code == 200


def test_a_token_of_the_same_name_neither_lists_nor_ends_a_persons_sessions(
    server: RunningServer, admin: httpx.Client
) -> None:
    (own,) = admin.get("/api/sessions").json()["sessions"]
    assert own["name"] == "operator"
    with server.client("operator", "operator") as script:
        assert script.get("/api/sessions").json()["sessions"] == []
        assert script.delete(f"/api/sessions/{own['session_id']}").status_code == 404
    assert admin.get("/api/me").status_code == 200


def test_my_own_password_needs_the_current_one(
    server: RunningServer, browser: httpx.Client
) -> None:
    new = "another long one"
    with browser_of(server) as other:
        sign_in(other, "ada")
        wrong = browser.put("/api/me/password", json={"current": "no", "new": new})
        assert wrong.status_code == 403
        right = browser.put("/api/me/password", json={"current": PASSWORD, "new": new})
        assert right.status_code == 204
        assert browser.get("/api/me").status_code == 200  # this session stays
        assert other.get("/api/me").status_code == 401
        assert sign_in(other, "ada").status_code == 401
        assert sign_in(other, "ada", new).status_code == 200


def test_an_admin_makes_and_removes_people(server: RunningServer, admin: httpx.Client) -> None:
    asked = {"name": "bob", "role": "viewer"}
    assert admin.post("/api/users", json=asked).status_code == 201
    assert admin.post("/api/users", json=asked).status_code == 409
    link = admin.post("/api/users/bob/login-links").json()["url"]
    with browser_of(server) as browser:
        browser.get(link)
        assert browser.get("/api/me").json() == {"name": "bob", "role": "viewer", "account": True}
        assert browser.put("/api/me/password", json={"new": PASSWORD}).status_code == 204
    listed = admin.get("/api/users").json()["users"]
    assert [(each["name"], each["has_password"]) for each in listed] == [
        ("bob", True),
        ("operator", False),
    ]
    unused = admin.post("/api/users/bob/login-links").json()["url"]
    assert admin.delete("/api/users/bob").status_code == 204
    assert httpx.get(unused).status_code == 403
    assert admin.delete("/api/users/bob").status_code == 404
    assert admin.post("/api/users", json=asked).status_code == 201
    with browser_of(server) as browser:
        assert sign_in(browser, "bob").status_code == 401  # the old password is gone
    said = [entry for entry in actions(server) if entry[0] == "operator"]
    assert ("operator", "user.add", "bob") in said
    assert ("operator", "user.remove", "bob") in said


def test_there_is_always_an_admin(database: Database) -> None:
    users.ensure_admin(database, "operator")
    users.ensure_admin(database, "another")
    assert [user.name for user in users.listed(database)] == ["operator"]
    for change in (
        lambda: users.remove(database, "operator", by=BY),
        lambda: users.set_role(database, "operator", Role.ENGINEER, by=BY),
    ):
        with pytest.raises(Conflict, match="last admin"):
            change()
    users.add(database, "ada", Role.ADMIN, None, by=BY)
    users.remove(database, "operator", by=BY)
    assert users.first_admin(database) == "ada"
    assert not users.admin_has_password(database)
    users.set_password(database, "ada", PASSWORD, by=BY)
    assert users.admin_has_password(database)


@pytest.mark.parametrize(
    ("name", "role", "password", "sentence"),
    [
        ("Ada", Role.VIEWER, None, "no name of a person"),
        ("a b", Role.VIEWER, None, "no name of a person"),
        ("", Role.VIEWER, None, "no name of a person"),
        ("ada", Role.ROBOT, None, "a person is no robot"),
        ("ada", Role.VIEWER, "short", "the password has 5 characters: give 10 to 256"),
        ("adalovelace", Role.VIEWER, "AdaLovelace", "the password is the name"),
    ],
)
def test_what_cannot_be_a_person_is_said(
    database: Database, name: str, role: Role, password: str | None, sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        users.add(database, name, role, password, by=BY)
    assert users.listed(database) == ()


# ---- tokens ----------------------------------------------------------------------------------


def test_a_token_is_shown_once_listed_and_revoked(
    server: RunningServer, admin: httpx.Client
) -> None:
    asked = {"role": "robot", "name": "panda_1", "days": 90}
    made = admin.post("/api/tokens", json=asked).json()
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {made['secret']}"}
    ) as robot:
        assert robot.get("/api/me").json()["role"] == "robot"
        text = admin.get("/api/tokens").text
        assert made["secret"] not in text
        assert made["token"]["token_id"] in text
        assert made["token"]["made_by"] == "operator"
        assert admin.delete(f"/api/tokens/{made['token']['token_id']}").status_code == 204
        assert robot.get("/api/me").status_code == 401
    assert admin.delete(f"/api/tokens/{made['token']['token_id']}").status_code == 404


def test_a_token_expires(server: RunningServer) -> None:
    made = tokens.make(server.database, NewToken(role=Role.LEARNER, name="gpu_box", days=1), by=BY)
    headers = {"Authorization": f"Bearer {made.secret}"}
    with server.database.transaction() as connection:
        past = utc_now() - timedelta(seconds=1)
        connection.execute(update(TokenTable).values(expires_t_utc=past))
    assert httpx.get(server.url + "/api/me", headers=headers).status_code == 401


def test_what_a_person_revoked_does_not_come_back_with_the_environment(
    server: RunningServer,
) -> None:
    bearer = server.bearer("learner", "gpu_box")
    (token,) = tokens.listed(server.database)
    tokens.revoke(server.database, token.token_id, by=BY)
    secret = bearer["Authorization"].removeprefix("Bearer ")
    tokens.renew_grants(
        server.database, [tokens.Grant(role="learner", name="gpu_box", secret=secret)]
    )
    assert httpx.get(server.url + "/api/me", headers=bearer).status_code == 401


def test_the_environment_leaves_tokens_that_a_person_made(database: Database) -> None:
    wanted = NewToken(role=Role.LEARNER, name="learner")
    made = tokens.make(database, wanted, by=BY)
    tokens.renew_grants(database, [tokens.Grant(role="learner", name="learner", secret="other")])
    found = {each.token_id: each.revoked_t_utc for each in tokens.listed(database)}
    assert found[made.token.token_id] is None


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (NewToken(role=Role.ROBOT, name="*"), "no name for a token"),
        (NewToken(role=Role.ROBOT, name=" "), "no name for a token"),
        (NewToken(role=Role.VIEWER, name="x", task="t"), "is of all tasks"),
        (NewToken(role=Role.VIEWER, name="x", days=0), "cannot expire in 0 days"),
    ],
)
def test_what_cannot_be_a_token_is_said(
    database: Database, wanted: NewToken, sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        tokens.make(database, wanted, by=BY)
