"""`robot-rl users` and `robot-rl tokens` on the database of a server that runs."""

import json

import httpx
import pytest
from typer.testing import CliRunner, Result

from robot_rl.cli import app
from robot_rl.errors import PlainError
from robot_rl.server.settings import DATABASE_URL_VARIABLE
from tests.server.conftest import RunningServer
from tests.server.conftest import database as database
from tests.server.conftest import postgres as postgres
from tests.server.conftest import server as server

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _same_database(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE_URL_VARIABLE, server.database.dsn)


def run(*arguments: str, said: str = "") -> str:
    """What it prints; raises what it fails with."""
    result: Result = CliRunner().invoke(app, arguments, input=said, catch_exceptions=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def sign_in(server: RunningServer, password: str) -> int:
    asked = {"name": "ada", "password": password}
    return httpx.post(server.url + "/api/sign-in", json=asked, timeout=30).status_code


def test_a_person_from_first_to_last(server: RunningServer) -> None:
    run("users", "add", "ada", "--role", "engineer", "--password-stdin", said=PASSWORD + "\n")
    assert sign_in(server, PASSWORD) == 200
    run("users", "set-role", "ada", "admin")
    assert "ada" in run("users", "list")
    listed = json.loads(run("users", "list", "--json"))
    assert [(each["name"], each["role"]) for each in listed] == [
        ("ada", "admin"),
        ("operator", "admin"),
    ]
    run("users", "set-password", "ada", "--password-stdin", said="another long one\n")
    assert (sign_in(server, PASSWORD), sign_in(server, "another long one")) == (401, 200)
    link = run("users", "link", "ada", "--server", server.url).strip()
    assert httpx.get(link).status_code == 303
    link = run("users", "reset-password", "ada", "--server", server.url).split()[-1]
    assert sign_in(server, "another long one") == 401
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}) as browser:
        browser.get(link)
        assert browser.put("/api/me/password", json={"new": PASSWORD}).status_code == 204
    assert sign_in(server, PASSWORD) == 200
    run("users", "remove", "ada")
    assert sign_in(server, PASSWORD) == 401


def test_a_password_that_cannot_be_asked_for() -> None:
    with pytest.raises(PlainError, match="--password-stdin"):
        run("users", "add", "ada")


def test_a_token_from_first_to_last(server: RunningServer) -> None:
    secret = run("tokens", "make", "robot", "panda_1", "--days", "90").strip()
    headers = {"Authorization": f"Bearer {secret}"}
    me = httpx.get(server.url + "/api/me", headers=headers).json()
    assert (me["name"], me["role"]) == ("panda_1", "robot")
    assert "panda_1" in run("tokens", "list")
    (token,) = json.loads(run("tokens", "list", "--json"))
    assert token["expires_t_utc"] is not None
    run("tokens", "revoke", token["token_id"])
    server.app.state.services.gate._remembered.doubt()  # it is, within two seconds
    assert httpx.get(server.url + "/api/me", headers=headers).status_code == 401
    assert "revoked" in run("tokens", "list")
    with pytest.raises(PlainError, match="is not the id of a token"):
        run("tokens", "revoke", "nonsense")


def test_the_audit_is_printed() -> None:
    run("tokens", "make", "robot", "panda_1")
    lines = run("audit", "export", "--format", "jsonl", "--since", "2020-01-01").splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["token.make", "audit.export"]
    assert run("audit", "export", "--until", "2020-01-01").startswith("entry_id,t_utc,actor,")
