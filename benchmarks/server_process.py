"""A real server with its own Postgres, as a child process, in a folder that may be used again."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.recorded_feed import await_server
from robot_rl.rehearsal.children import end_with_parent
from robot_rl.rehearsal.system import free_port
from robot_rl.server.settings import BLOB_URL_VARIABLE, DATABASE_URL_VARIABLE, ROBOT_TOKENS

_STOP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """Its address, its process, and the first one of its Postgres."""

    url: str
    process: psutil.Process
    postgres: psutil.Process

    @property
    def parts(self) -> list[psutil.Process]:
        return [self.process, self.postgres]


@contextmanager
def server_process(folder: Path, robots: Mapping[str, str]) -> Iterator[ServerProcess]:
    """robots: the token of each."""
    port = free_port()
    server = started_server(folder, robots, port)
    try:
        url = f"http://127.0.0.1:{port}"
        await_server(url, server, folder / "server.log")
        process = psutil.Process(server.pid)
        yield ServerProcess(url=url, process=process, postgres=postgres_of(folder))
    finally:
        server.terminate()
        server.wait(_STOP_S)


def started_server(
    folder: Path,
    robots: Mapping[str, str],
    port: int,
    *,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """It may not answer yet."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in {DATABASE_URL_VARIABLE, BLOB_URL_VARIABLE}
    }
    tokens = " ".join(f"{name}={token}" for name, token in robots.items())
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "robot_rl.cli", "server", "--quiet"),
                *("--port", str(port), "--data", str(folder)),
            ],
            env={**kept, **(environment or {}), ROBOT_TOKENS: tokens},
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,
        )


def postgres_of(folder: Path) -> psutil.Process:
    """Of a server that answers."""
    first = (folder / "postgres" / "postmaster.pid").read_text().splitlines()[0]
    return psutil.Process(int(first))
