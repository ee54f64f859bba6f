"""The whole system on this machine: server, learner and daemon as child processes of one parent.

`robot-rl demo` and `robot-rl rehearse` are both this. Each part is started through the command
line, exactly as a lab would start it, so that it can be killed and started again on its own.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from robot_rl.config import load_cell
from robot_rl.daemon.memory_folder import remove_leftovers
from robot_rl.errors import PlainError
from robot_rl.rehearsal.children import end_with_parent, undisturbed
from robot_rl.server.settings import ROBOT_TOKENS

_START_S = 180.0  # for the server; on a busy machine a new database alone takes a minute
_STOP_S = 4.8  # for all of it; the daemon itself ends its processes within 4.5 s
_SERVER_S = 1.5  # the server's share at the end


class SystemProblem(PlainError):
    """A part did not start or ended by itself; names the part, its last output and its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSettings:
    """What to start. `cell` and `task` are names or paths, as on the command line."""

    cell: str
    task: str
    data: Path
    port: int  # 0: any free one
    lockstep: bool = False
    lockstep_clients: int = 0  # virtual time begins when so many have joined
    learner: bool = True
    learner_lag_steps: int = 20
    robots: int = 1  # daemons of the same cell, with names, tokens and folders of their own
    seed: int = 0
    restart: bool = True  # a learner or server that dies is started again


@dataclass(slots=True)
class _Process:
    process: subprocess.Popen[bytes]
    started_s: float
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Tokens:
    robots: tuple[str, ...] = field(repr=False)
    learner: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    operator: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    admin: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class System:
    """Start, watch, kill and stop the parts. Usable as a context manager."""

    def __init__(self, settings: SystemSettings) -> None:
        self.settings = settings
        self.tokens = Tokens(tuple(secrets.token_urlsafe(32) for _ in range(settings.robots)))
        first = load_cell(settings.cell).robot
        self.robots = robot_names(first, settings.robots)
        self._daemons = robot_names("daemon", settings.robots)
        self.port = settings.port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._parts: dict[str, _Process] = {}

    def __enter__(self) -> "System":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every part and wait until the server answers. Raises SystemProblem."""
        _require_free(self.port)
        _require_space(self.settings.data)
        # Side by side: each waits for the server by itself, and loading takes them seconds.
        self.start_part("server")
        for daemon in self._daemons:
            self.start_part(daemon)
        if self.settings.learner:
            self.start_part("learner")
        self.wait_server(_START_S)

    def start_part(self, name: str) -> None:
        folder = self.settings.data / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "robot_rl.cli", *self._arguments(name)]
        with self.log_file(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment(name)},
                start_new_session=True,  # Ctrl-C reaches the parent alone, which stops in order
                preexec_fn=end_with_parent,
            )
        restarts = self._parts[name].restarts + 1 if name in self._parts else 0
        self._parts[name] = _Process(process, time.monotonic(), restarts)

    def _arguments(self, name: str) -> list[str]:
        settings = self.settings
        data = str(settings.data.resolve())
        match name:
            case "server":
                return ["server", "--port", str(self.port), "--data", data, "--quiet"]
            case "learner":
                lockstep = ["--lockstep"] if settings.lockstep else []
                return [
                    *("learner", "--task", settings.task, "--server", self.url),
                    *("--data", f"{data}/learner", "--seed", str(settings.seed), *lockstep),
                ]
            case _ if name in self._daemons:
                number = self._daemons.index(name)
                lag = ["--learner-lag", str(settings.learner_lag_steps)]
                clients = ["--lockstep-clients", str(settings.lockstep_clients)]
                lockstep = ["--lockstep", *clients, *(lag if settings.learner else [])]
                return [
                    *("daemon", "--cell", settings.cell, "--task", settings.task),
                    *("--robot", self.robots[number]),
                    *("--server", self.url, "--data", f"{data}/{name.replace('daemon', 'robot')}"),
                    *("--seed", str(robot_seed(settings.seed, number))),
                    *(lockstep if settings.lockstep else []),
                ]
            case _:
                raise KeyError(name)

    def _environment(self, name: str) -> dict[str, str]:
        named = zip(self.robots, self.tokens.robots, strict=True)
        if name == "server":
            return {
                ROBOT_TOKENS: " ".join(map("=".join, named)),
                "ROBOT_RL_LEARNER_TOKEN": self.tokens.learner,
                "ROBOT_RL_OPERATOR_TOKEN": self.tokens.operator,
                "ROBOT_RL_ADMIN_TOKEN": self.tokens.admin,
            }
        daemons = dict(zip(self._daemons, self.tokens.robots, strict=True))
        return {"ROBOT_RL_TOKEN": daemons.get(name, self.tokens.learner)}

    def log_file(self, name: str) -> Path:
        return self.settings.data / "logs" / f"{name}.log"

    def wait_server(self, timeout_s: float) -> None:
        """Wait until the server answers. Raises SystemProblem."""

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{self.url}/api/health", timeout=2.0).status_code == 200
            return False

        self.wait_for(answers, timeout_s, "the server does not answer")

    def wait_for(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise SystemProblem(
                    f"{what} after {timeout_s:.0f} s; see {self.settings.data / 'logs'}"
                )
            time.sleep(0.1)

    def check(self) -> None:
        """Restart what may be restarted. Raises SystemProblem for a part that cannot go on."""
        for name, part in list(self._parts.items()):
            code = part.process.poll()
            if code is None:
                continue
            young = time.monotonic() - part.started_s < 10
            restartable = self.settings.restart and name not in self._daemons and part.restarts < 20
            if restartable and not young:
                self.start_part(name)
                continue
            raise SystemProblem(
                f"the {name} ended by itself (exit code {code}): {self._last_words(name)} "
                f"(log: {self.log_file(name)})"
            )

    def kill(self, name: str) -> None:
        """SIGKILL one part, as a power cut would."""
        part = self._parts[name]
        part.process.kill()
        part.process.wait()

    def pid(self, name: str) -> int:
        """Of a part that runs."""
        return self._parts[name].process.pid

    def stop(self) -> None:
        """Stop every part within five seconds, the arm first; stragglers are killed.

        The server stays until the robot has handed over what it recorded, or most of the time is
        up. A second Ctrl-C changes nothing: to leave halfway would leave the rest running.
        """
        with undisturbed():
            deadline = time.monotonic() + _STOP_S
            for name in (*self._daemons, "learner"):
                self._end(name)
            for name in self._daemons:
                self._join(name, deadline - _SERVER_S)
            self._end("server")
            for name in (*self._daemons, "server", "learner"):
                self._join(name, deadline)
                self._finish(name)

    def _end(self, name: str) -> None:
        part = self._parts.get(name)
        if part is not None and part.process.poll() is None:
            part.process.send_signal(signal.SIGTERM)

    def _join(self, name: str, deadline_s: float) -> None:
        part = self._parts.get(name)
        if part is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.process.wait(max(deadline_s - time.monotonic(), 0.0))

    def _finish(self, name: str) -> None:
        """Kill what did not end, and clear away what a killed daemon could not."""
        part = self._parts.pop(name, None)
        if part is None:
            return
        if part.process.poll() is None:
            part.process.kill()
            part.process.wait()
        if name in self._daemons:
            remove_leftovers()

    def _last_words(self, name: str) -> str:
        lines = self.log_file(name).read_text(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("robot-rl: ") if lines else "it said nothing"


def robot_names(first: str, count: int) -> tuple[str, ...]:
    """`panda`, `panda-2`, …"""
    return (first, *(f"{first}-{number}" for number in range(2, count + 1)))


def robot_seed(root: int, number: int) -> int:
    """Of one of several robots: the first one's is the root itself."""
    return root if number == 0 else int(np.random.SeedSequence([root, number]).generate_state(1)[0])


def free_port() -> int:
    """Of this machine's loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SystemProblem(
                f"port {port} is in use: another robot-rl may be running; stop it, or give another "
                "port with --port"
            ) from error


def _require_space(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(data).free
    except OSError as error:
        raise SystemProblem(f"the data folder {data} cannot be made: {error.strerror}") from error
    if free < 500 * 2**20:
        raise SystemProblem(
            f"the data folder {data} has {free // 2**20} MB left, at least 500 MB are needed: "
            "free some space, or give another folder with --data"
        )
