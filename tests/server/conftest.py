"""A real Postgres for the session, a database of its own for every test, a real server."""

import contextlib
import secrets
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import trustme
from fastapi import FastAPI
from sqlalchemy import text

from robot_rl.schema.message import new_id
from robot_rl.server import migration
from robot_rl.server.accounts.sessions import Maker, issue_login
from robot_rl.server.accounts.tokens import keep_grants
from robot_rl.server.app import create_app
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database, connect
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.process import LiveServer, configured, listen
from robot_rl.server.settings import Grant, ServerSettings

SERVER_NAME = "robots.lab.example"
TEMPLATE = "robot_rl_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Postgres with a migrated template database.

    Not in pytest's own folder: run as root, Postgres has another user, and a second pytest that
    starts meanwhile closes that folder to everybody else.
    """
    folder = tempfile.mkdtemp(prefix="robot-rl-")
    embedded = EmbeddedPostgres(Path(folder) / "postgres")
    try:
        run_sql(embedded, "ALTER SYSTEM SET fsync = off")  # no test cuts the power
        run_sql(embedded, "SELECT pg_reload_conf()")
        run_sql(embedded, f"CREATE DATABASE {TEMPLATE}")
        template = database_of(embedded, TEMPLATE)
        migration.upgrade(template)
        template.engine.dispose()
        yield embedded
    finally:
        embedded.close()
        shutil.rmtree(folder)


def run_sql(embedded: EmbeddedPostgres, statement: str) -> None:
    database = connect(embedded.url, None)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    database.engine.dispose()


def database_of(embedded: EmbeddedPostgres, name: str) -> Database:
    url = connect(embedded.url, None).url.set(database=name)
    return connect(url.render_as_string(hide_password=False), None)


@contextlib.contextmanager
def temporary_database(embedded: EmbeddedPostgres, template: str = TEMPLATE) -> Iterator[Database]:
    name = f"t{new_id().hex}"
    run_sql(embedded, f"CREATE DATABASE {name} TEMPLATE {template}")
    database = database_of(embedded, name)
    try:
        yield database
    finally:
        database.engine.dispose()
        run_sql(embedded, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database of this test's own, at the newest schema, empty."""
    with temporary_database(postgres) as made:
        yield made


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database without tables."""
    with temporary_database(postgres, "template1") as made:
        yield made


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Of loopback, by an authority of the test's own."""

    file: Path
    key: Path
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost", SERVER_NAME)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(folder / "certificate.pem", append=number > 0)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Certificate(
        file=folder / "certificate.pem",
        key=folder / "key.pem",
        context=context,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A server on a port of this machine."""

    settings: ServerSettings
    database: Database
    app: FastAPI
    uvicorn: LiveServer

    @property
    def url(self) -> str:
        return self.settings.origin

    @property
    def live(self) -> str:
        return self.url.replace("http", "ws", 1) + "/api/live"

    def login_link(self) -> str:
        """As the server prints it: of its first admin."""
        return issue_login(self.database, self.url, Maker(account=self.settings.user))

    def token(self, role: str, name: str | None = None) -> str:
        secret = secrets.token_urlsafe(32)
        keep_grants(self.database, [Grant(role=role, name=name or role, secret=secret)])
        return secret

    def bearer(self, role: str, name: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, name)}"}

    def client(self, role: str, name: str | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.bearer(role, name), timeout=30)


@contextlib.contextmanager
def serving(settings: ServerSettings, database: Database) -> Iterator[RunningServer]:
    """Runs the application as the process does, in a thread."""
    listener = listen(settings)
    settings = replace(settings, port=listener.getsockname()[1])
    app = create_app(settings, database)
    server = configured(settings, app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended before it had started"
            time.sleep(0.005)
        yield RunningServer(settings=settings, database=database, app=app, uvicorn=server)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture(scope="module")
def shared_server(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """One for a module whose tests do not get in each other's way."""
    folder = tmp_path_factory.mktemp("shared")
    with (
        temporary_database(postgres) as made,
        serving(ServerSettings(data=folder, port=0), made) as running,
    ):
        yield running


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[RunningServer]:
    with serving(ServerSettings(data=tmp_path / "data", port=0), database) as running:
        yield running


@contextlib.contextmanager
def away(embedded: EmbeddedPostgres, database: Database) -> Iterator[None]:
    """Nobody reaches the database; Postgres itself runs on for the other tests."""
    name = database.url.database
    run_sql(embedded, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    run_sql(
        embedded,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    try:
        yield
    finally:
        run_sql(embedded, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
