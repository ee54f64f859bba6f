"""Who may do what: links, sessions, tokens, origins."""

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from robot_rl.errors import PlainError
from robot_rl.schema.message import new_id, utc_now
from robot_rl.server import access, remembered
from robot_rl.server.accounts import tokens
from robot_rl.server.accounts.tables import BrowserSessionTable, LoginLinkTable, TokenTable
from robot_rl.server.hub import CLOSE_SIGNED_OUT
from robot_rl.server.settings import Grant
from tests.server.conftest import RunningServer


@pytest.fixture
def server(shared_server: RunningServer) -> RunningServer:
    return shared_server


@contextmanager
def sign_in(server: RunningServer) -> Iterator[httpx.Client]:
    link = server.login_link()
    headers = {"Origin": server.url}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as browser:
        answer = browser.get(link)
        assert answer.status_code == 303, answer.text
        yield browser


def refusal(address: str, headers: dict[str, str]) -> int | None:
    """The status with which the server refuses a WebSocket; None when it accepts it."""
    try:
        with connect(address, additional_headers=headers):
            return None
    except InvalidStatus as error:
        return error.response.status_code


def test_a_link_signs_in_once(server: RunningServer) -> None:
    link = server.login_link()
    with httpx.Client(timeout=30) as browser:
        answer = browser.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get(server.url + "/api/me").json() == {
            "name": "operator",
            "role": "admin",
            "account": True,
        }
    with httpx.Client(timeout=30) as thief:
        assert thief.get(link).status_code == 403
        assert thief.get(server.url + "/api/me").status_code == 401


def test_an_old_link_is_refused(server: RunningServer) -> None:
    link = server.login_link()
    with server.database.transaction() as connection:
        connection.execute(
            update(LoginLinkTable).values(expires_t_utc=utc_now() - timedelta(seconds=1))
        )
    assert httpx.get(link).status_code == 403


def test_no_secret_is_kept(server: RunningServer) -> None:
    secrets = [server.token("robot", "r1")]
    with sign_in(server) as browser:
        secrets.append(browser.cookies[server.settings.cookie])
    with server.database.engine.connect() as connection:
        kept = [
            str(row)
            for table in (TokenTable, BrowserSessionTable, LoginLinkTable)
            for row in connection.execute(select(table.__table__))
        ]
    assert kept
    assert not [row for row in kept for secret in secrets if secret in row]


def test_signing_out_ends_the_session(server: RunningServer) -> None:
    with sign_in(server) as browser:
        cookies = dict(browser.cookies)
        assert browser.post("/api/logout").status_code == 204
        again = httpx.get(server.url + "/api/me", cookies=cookies)
        assert again.status_code == 401


def closing(socket: ClientConnection) -> int:
    """The code with which the server closes a socket."""
    with pytest.raises(ConnectionClosed) as closed:
        drain(socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def drain(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=10)


def test_signing_out_closes_what_the_session_has_open(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "LOOK_AGAIN_S", 3600.0)  # at once, not when it looks again
    with contextlib.ExitStack() as open_:
        browser, other = (open_.enter_context(sign_in(server)) for _ in range(2))
        name = server.settings.cookie
        sockets = [
            open_.enter_context(
                connect(
                    f"{server.live}/robots/r1{video}",
                    additional_headers={
                        "Origin": server.url,
                        "Cookie": f"{name}={each.cookies[name]}",
                    },
                )
            )
            for each in (browser, other)
            for video in ("", "/video")
        ]
        assert browser.post("/api/logout").status_code == 204
        assert [closing(socket) for socket in sockets[:2]] == [CLOSE_SIGNED_OUT] * 2
        sockets[2].send("a question")
        while "not understood" not in str(sockets[2].recv(timeout=10)):
            pass  # another session goes on


@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_rights_that_end_close_what_is_open(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    monkeypatch.setattr(remembered, "FRESH_S", 0.0)
    monkeypatch.setattr(access, "LOOK_AGAIN_S", 0.05)
    with sign_in(server) as browser:
        cookie = f"{server.settings.cookie}={browser.cookies[server.settings.cookie]}"
    headers = {
        "revoked": server.bearer("operator", "eve"),
        "expired": {"Origin": server.url, "Cookie": cookie},
    }
    with connect(f"{server.live}/robots/r1", additional_headers=headers[ended]) as socket:
        if ended == "revoked":
            replace_token(server, "operator", "eve")
        else:
            with server.database.transaction() as connection:
                connection.execute(update(BrowserSessionTable).values(expires_t_utc=utc_now()))
        assert closing(socket) == CLOSE_SIGNED_OUT


def test_a_link_is_for_whoever_asked_for_it(server: RunningServer) -> None:
    asked = httpx.post(server.url + "/api/login-links", headers=server.bearer("engineer", "eve"))
    with httpx.Client(timeout=30) as browser:
        browser.get(asked.json()["url"])
        assert browser.get(server.url + "/api/me").json() == {
            "name": "eve",
            "role": "engineer",
            "account": False,
        }


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 403),  # a browser always names one
        ("http://evil.example", 403),
        ("http://127.0.0.1:1", 403),  # another port is another page
        ("null", 403),
        ("own", 200),
    ],
)
def test_a_session_changes_things_only_from_its_own_page(
    server: RunningServer, origin: str | None, status: int
) -> None:
    with sign_in(server) as browser:
        del browser.headers["Origin"]
        headers = {} if origin is None else {"Origin": server.url if origin == "own" else origin}
        answer = browser.post("/api/login-links", headers=headers)
        assert answer.status_code == status
        cookie = f"{server.settings.cookie}={browser.cookies[server.settings.cookie]}"
    address = f"{server.live}/robots/r1"
    if status == 200:
        with connect(address, additional_headers={**headers, "Cookie": cookie}) as socket:
            assert "client_welcome" in str(socket.recv(timeout=5))
    else:
        assert refusal(address, {**headers, "Cookie": cookie}) == 403


def replace_token(server: RunningServer, role: str, name: str) -> str:
    """As when the server starts with another secret for the same caller."""
    secret = str(new_id())
    tokens.renew_grants(server.database, [Grant(role=role, name=name, secret=secret)])
    return secret


def who(server: RunningServer, secret: str) -> tuple[str, str] | None:
    """Role and name of whoever shows it; None where it is refused."""
    headers = {"Authorization": f"Bearer {secret}"}
    answer = httpx.get(server.url + "/api/me", headers=headers)
    if answer.status_code == 401:
        return None
    return answer.json()["role"], answer.json()["name"]


def test_a_replaced_token_is_refused(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "FRESH_S", 0.0)
    old = server.token("learner", "gpu_box")
    assert who(server, old) == ("learner", "gpu_box")
    new = replace_token(server, "learner", "gpu_box")
    assert who(server, old) is None
    assert who(server, new) == ("learner", "gpu_box")
    grant = Grant(role="learner", name="gpu_box", secret=old)
    tokens.renew_grants(server.database, [grant])  # the old one was put back
    assert who(server, old) == ("learner", "gpu_box")


def test_tokens_of_the_environment_follow_it(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "FRESH_S", 0.0)
    unset, moved = server.token("admin", "admin"), server.token("operator", "operator")
    grant = Grant(role="robot", name="panda", secret=moved)
    tokens.renew_grants(server.database, [grant, grant])
    assert who(server, unset) is None
    assert who(server, moved) == ("robot", "panda")
    tokens.renew_grants(server.database, [])
    assert who(server, moved) is None


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("robot", "POST", "/api/policies"),
        ("robot", "POST", "/api/learner/progress"),
        ("learner", "POST", "/api/login-links"),
        ("operator", "GET", "/api/audit"),
        ("operator", "POST", "/api/policies/lift_cube/1/pin"),
        ("viewer", "POST", "/api/episodes/01900000-0000-7000-8000-000000000000/labels"),
        ("operator", "POST", "/api/ingest"),
    ],
)
def test_roles(server: RunningServer, role: str, method: str, path: str) -> None:
    answer = httpx.request(
        method,
        server.url + path,
        headers=server.bearer(role),
        json={"outcome": "success"} if path.endswith("labels") else None,
    )
    # A body that would be refused as well must not tell a stranger more.
    assert answer.status_code in {403, 422}
    if answer.status_code == 403:
        assert f"a {role} may not" in answer.json()["detail"]


def test_robots_and_learners_never_see_the_truth(server: RunningServer) -> None:
    for role in ("robot", "learner", "viewer"):
        address = f"{server.live}/robots/r1?truth=1"
        assert refusal(address, server.bearer(role, "r1")) == 403


def test_an_unknown_role_is_refused(server: RunningServer) -> None:
    with pytest.raises(PlainError, match="no role 'king': choose one of viewer"):
        tokens.keep_grants(server.database, [Grant(role="king", name="k", secret="s")])


PATH_VALUES = {
    "episode_id": "01900000-0000-7000-8000-000000000000",
    "segment_id": "01900000-0000-7000-8000-000000000000",
    "intervention_id": "01900000-0000-7000-8000-000000000000",
    "sha256": "0" * 64,
}


def test_everything_but_health_and_the_console_needs_a_caller(server: RunningServer) -> None:
    open_paths = {"/api/health", "/api/health/ready", "/login"}
    with httpx.Client(base_url=server.url, timeout=30) as stranger:
        for path, methods in server.app.openapi()["paths"].items():
            address = re.sub(r"{(\w+)}", lambda name: PATH_VALUES.get(name[1], "1"), path)
            for method in methods:
                status = stranger.request(method.upper(), address).status_code
                if path in open_paths:
                    assert status == 200
                else:
                    assert status in {401, 422}, (method, path, status)
