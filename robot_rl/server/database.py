"""The episode database: a Postgres in the data folder, or the one that DATABASE_URL names."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.settings import ServerProblem, ServerSettings

AWAY = (OperationalError, PoolTimeout)
"""What is raised while the database cannot be reached or does not keep up."""

CONNECT_TIMEOUT_S = 5
POOL_SIZE = 8
POOL_OVERFLOW = 8
POOL_WAIT_S = 10
STATEMENT_TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open database; `embedded` when it is ours to start, upgrade and stop."""

    engine: Engine
    url: URL
    embedded: EmbeddedPostgres | None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commits on leaving, rolls back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    @property
    def dsn(self) -> str:
        """For psycopg itself (LISTEN)."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def close(self) -> None:
        """A thread that nobody waits for any more may still have a connection: it ends with it."""
        event.listen(self.engine, "checkin", _end)
        self.engine.dispose()
        if self.embedded is not None:
            self.embedded.close()


def _end(_connection: object, record: ConnectionPoolEntry) -> None:
    record.invalidate()


def open_database(settings: ServerSettings) -> Database:
    """Starts or reaches the database; says nothing about its schema. Raises ServerProblem."""
    if settings.database_url is None:
        embedded = EmbeddedPostgres(settings.postgres_folder)
        return connect(embedded.url, embedded)
    database = connect(settings.database_url, None)
    try:
        with database.engine.connect():
            pass
    except OperationalError as error:
        database.close()
        raise ServerProblem(
            f"the database at {_place(database.url)} cannot be reached ({reason(error)}): "
            "start it, or correct DATABASE_URL"
        ) from error
    return database


def connect(url: str, embedded: EmbeddedPostgres | None) -> Database:
    """An engine on `url`; connects on first use. Raises ServerProblem on a wrong URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ServerProblem(
            "DATABASE_URL is not a URL: give postgresql://user:password@host:5432/database"
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ServerProblem(
            f"DATABASE_URL names {parsed.get_backend_name()}, and only PostgreSQL can be used: "
            "give postgresql://user:password@host:5432/database"
        )
    parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC "
            # A plan for any filter, page and position alike reads and sorts the whole table.
            "-c plan_cache_mode=force_custom_plan",
        },
    )
    return Database(engine=engine, url=parsed, embedded=embedded)


def _place(url: URL) -> str:
    return f"{url.host or 'the local socket'}:{url.port or 5432}/{url.database or ''}"


def reason(error: SQLAlchemyError) -> str:
    """What Postgres says of it, without the statement and its values."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return (str(said).strip() or type(said).__name__).splitlines()[0]
