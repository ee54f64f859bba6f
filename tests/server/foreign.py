"""A PostgreSQL server that is not ours: Debian's, else the wheel's, reached by its URL alone."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from robot_rl.server.embedded import EmbeddedPostgres

DEBIAN = Path("/usr/lib/postgresql")


@contextlib.contextmanager
def foreign_postgres() -> Iterator[str]:
    """Its URL, on a port of the loopback. The oldest version that is installed."""
    installed = sorted(path.parent for path in DEBIAN.glob("*/bin/initdb"))
    with tempfile.TemporaryDirectory(prefix="robot-rl-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if installed:
            with _started(installed[0], folder) as url:
                yield url
            return
        embedded = EmbeddedPostgres(folder / "postgres")
        try:
            yield embedded.url
        finally:
            embedded.close()


@contextlib.contextmanager
def _started(programs: Path, folder: Path) -> Iterator[str]:
    user = "postgres" if os.getuid() == 0 else None  # it does not run as root
    if user is not None:
        shutil.chown(folder, user, user)
    data = folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(
            [*map(str, command)], user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL
        )

    run(programs / "initdb", "-D", data, "-U", "lab", "-A", "trust", "--no-sync")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -h 127.0.0.1 -k {folder} -F"
    control = (programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log")
    run(*control, "-o", options, "start")
    try:
        yield f"postgresql://lab@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "-m", "immediate", "stop")
