"""How long a person waits: for `--help`, and for a server that answers on a new database."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us

HELP_S = 1.0
SERVER_S = 10.0  # half of the 20 s in which a second `make demo` reaches live video
STOP_S = 5.0  # Ctrl-C stops everything within this
_GIVE_UP_S = 120.0
_CLI = (sys.executable, "-m", "robot_rl.cli")


def run(*, quick: bool = False) -> Result:
    """Every start is a process of its own; the first one is thrown away, as it warms the disk."""
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    shown = [_help() for _ in range(2 if quick else 11)][1:]
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        fresh, stopped = _server(Path(folder))
        again = [_server(Path(folder)) for _ in range(0 if quick else 3)]
    starts = [start for start, _ in again] or [fresh]
    stops = [stopped, *(stop for _, stop in again)]
    return Result(
        bench="startup",
        machine=machine,
        targets=(
            _at_most("--help, p50", Spread.of(shown).p50, HELP_S),
            _at_most("server answers, largest", max(starts), SERVER_S),
            # Ctrl-C stops everything within 5 s.
            _at_most("server has stopped, largest", max(stops), STOP_S),
        ),
        detail={
            "--help, s": Spread.of(shown),
            "server on a new database, s": fresh,
            "server on an existing one, s": Spread.of(starts),
            "server: SIGINT to its end, s": Spread.of(stops),
            "noise before: processor taken away, µs": noise,
        },
    )


def _at_most(name: str, value: float, target: float) -> Target:
    return Target(name=name, value=value, unit="s", op="<=", target=target)


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([*_CLI, "--help"], check=True, capture_output=True, timeout=_GIVE_UP_S)
    return time.perf_counter() - began


def _server(data: Path) -> tuple[float, float]:
    """Seconds until it answers, and from SIGINT until it has ended with nothing left."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*_CLI, "server", "--data", str(data), "--port", str(port), "--quiet"], env=environment
    )
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - began > _GIVE_UP_S:
                raise RuntimeError(f"the server did not start (exit code {process.returncode})")
            time.sleep(0.02)
        started = time.perf_counter() - began
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.wait(_GIVE_UP_S)
        return started, time.perf_counter() - began
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=1.0) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
