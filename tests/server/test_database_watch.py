"""The embedded Postgres is started again after its death, or the server ends with a sentence."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from robot_rl.server import database_watch, migration
from robot_rl.server.database import Database, open_database
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.settings import ServerProblem, ServerSettings
from tests.server.conftest import RunningServer, away, serving

WAIT_S = 60.0

type Health = dict[str, object]


@pytest.fixture
def embedded() -> Iterator[Database]:
    """A Postgres of this test's own. Outside of pytest's folder; see conftest.postgres."""
    with tempfile.TemporaryDirectory(prefix="robot-rl-") as folder:
        opened = open_database(ServerSettings(data=Path(folder)))
        try:
            migration.prepare(opened)
            yield opened
        finally:
            opened.close()


def health(server: RunningServer) -> Health:
    return httpx.get(f"{server.url}/api/health", timeout=30).json()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def kill_postgres(database: Database) -> None:
    """Its first process; the others end when they notice."""
    assert database.embedded is not None
    folder = Path(database.embedded.log).parent
    os.kill(int((folder / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


@pytest.mark.fault
def test_a_killed_postgres_is_started_again(embedded: Database, tmp_path: Path) -> None:
    with (
        serving(ServerSettings(data=tmp_path / "data", port=0), embedded) as server,
        server.client("viewer") as viewer,
    ):
        for _ in range(2):
            assert viewer.get("/api/episodes").status_code == 200
            kill_postgres(embedded)
            until(lambda: not health(server)["ready"])
            assert health(server)["live"]
            assert httpx.get(f"{server.url}/api/health/ready").status_code == 503
            assert viewer.get("/api/me").status_code == 200
            until(lambda: bool(health(server)["ready"]))
        assert viewer.get("/api/episodes").status_code == 200


@pytest.mark.fault
def test_a_postgres_that_cannot_start_ends_the_server_with_a_sentence(
    embedded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_watch, "STARTS_S", (0.0, 0.1))
    with serving(ServerSettings(data=tmp_path / "data", port=0), embedded) as server:
        monkeypatch.setattr(EmbeddedPostgres, "start", _refuse)
        kill_postgres(embedded)
        until(lambda: server.uvicorn.should_exit)
        assert "no room" in str(server.uvicorn.problem)


def _refuse(_: EmbeddedPostgres) -> None:
    raise ServerProblem("the embedded Postgres did not start (no room)")


def test_health_says_that_a_foreign_postgres_is_away(
    server: RunningServer, postgres: EmbeddedPostgres
) -> None:
    engineer, viewer = server.bearer("engineer"), server.bearer("viewer")
    stranger = {"Authorization": "Bearer made-up"}
    until(lambda: bool(health(server)["ready"]))
    for known in (engineer, viewer):
        assert httpx.get(f"{server.url}/api/me", headers=known).status_code == 200
    with away(postgres, server.database):
        until(lambda: not health(server)["ready"])
        database = server.database.url.database or ""
        for headers, knows in ((engineer, True), (viewer, False), (stranger, False), ({}, False)):
            for path in ("/api/health", "/api/health/ready"):
                answer = httpx.get(server.url + path, headers=headers, timeout=30)
                assert (database in answer.text) is knows, answer.text
                assert ("an engineer sees why" in answer.text) is not knows
    until(lambda: health(server)["problem"] == "")
