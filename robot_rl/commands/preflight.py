"""What can be known to be wrong before anything is started, in well under a second."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.config import Cell, Task

_EGL = Path(__file__).with_name("egl_probe.py")
GRAPHICS_MEND = (
    "install an OpenGL driver with EGL (Debian and Ubuntu: "
    "`apt-get install libegl1 libgl1-mesa-dri`)"
)
_ASK_S = 0.5  # between two questions to a server that does not answer


def cell_and_task(cell: str, task: str) -> "tuple[Cell, Task]":
    """Both files, read, checked, and checked against one another. Raises PlainError."""
    from robot_rl.config import check_fit, load_cell, load_task

    described, wanted = load_cell(cell), load_task(task)
    try:
        check_fit(described, wanted)
    except ValueError as error:
        raise PlainError(str(error)) from error
    return described, wanted


def ready(cell: str, task: str) -> None:
    """The files, the drawing of simulated cameras, the starting policy and the success classifier.
    Raises PlainError.
    """
    from robot_rl.config.metrics import check_installed

    described, wanted = cell_and_task(cell, task)
    check_installed(wanted.learner.metrics)
    starting_policy(wanted, described)
    success_classifier(wanted)
    graphics(described)


def starting_policy(task: "Task", cell: "Cell | None" = None) -> None:
    """That every file the policy's manifest names is there and whole, or that LeRobot's fits the
    task and the cell by its own words. Raises PlainError.

    Loading the policy checks more, but takes seconds. A policy server is asked what it serves; that
    it is away is said, and no more: the robot holds until it is there.
    """
    if task.policy.server is not None:
        from robot_rl.policy.remote_task import look_at_server

        if away := look_at_server(task, task.policy.server).away:
            print(f"{away}; the robot holds until it is there", file=sys.stderr, flush=True)
        return
    if task.policy.kind == "lerobot":
        _lerobot_policy(task, cell)
        return
    from robot_rl.policy.folder import check_folder

    check_folder((task.path.parent / task.policy.folder).resolve())


def _lerobot_policy(task: "Task", cell: "Cell | None") -> None:
    from robot_rl.policy.lerobot_config import read_folder, resolve, task_mapping
    from robot_rl.policy.lerobot_fit import check

    source = Path(resolve(task.policy.folder, task.path.parent))
    if source.is_dir():  # else it is on the hub, and the actor looks when it loads it
        check(read_folder(source, task_mapping(task)), task, cell)


def success_classifier(task: "Task") -> None:
    """That the one which the task names is there, whole, and of this task and its cameras.
    Loading it checks more, but takes seconds. Raises PlainError.
    """
    choice = task.reward.classifier
    if choice is None:
        return
    from robot_rl.policy.success_manifest import check_fits, classifier_folder, read_classifier

    manifest, _ = read_classifier(classifier_folder(task), choice.sha256)
    check_fits(manifest, task)


def graphics(cell: "Cell") -> None:
    """Raises PlainError where the cell's simulated cameras, if it has any, could not draw."""
    if not any(cell.drawn(name) for name in cell.cameras):
        return
    draws, said = probe_graphics()
    if not draws:
        raise PlainError(
            f"the simulated cameras cannot draw on this machine ({said}): {GRAPHICS_MEND}; "
            "`robot-rl doctor` looks again"
        )


def probe_graphics() -> tuple[bool, str]:
    """Whether there is OpenGL without a display, and by whom or why not.

    In a process of its own, as a broken driver may end it.
    """
    try:
        probe = subprocess.run(
            [sys.executable, "-I", "-S", str(_EGL)], capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        return False, "the driver hangs"
    said = (probe.stdout + probe.stderr).strip().splitlines()
    return probe.returncode == 0, said[-1] if said else "the driver ended the program"


def server_answers(url: str, wait_s: float) -> None:
    """Wait for a robot-rl server. Raises PlainError when none answers in time."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PlainError(f"--server {url}: give an address such as http://127.0.0.1:8420")
    deadline = time.monotonic() + wait_s
    told = False
    while (problem := _ask(url)) is not None:
        if time.monotonic() >= deadline:
            raise PlainError(
                f"there is no robot-rl server at {url} ({problem}): start one with "
                "`robot-rl server`, or correct --server"
            )
        if not told:
            print(f"waiting for the server at {url} ({problem})", file=sys.stderr, flush=True)
            told = True
        time.sleep(_ASK_S)


def _ask(url: str) -> str | None:
    """Why it does not answer; None when it does."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/api/health", timeout=5.0) as answer:
            json.load(answer)
    except urllib.error.HTTPError as error:
        return f"something else answers there, with {error.code}"
    except urllib.error.URLError as error:
        return getattr(error.reason, "strerror", None) or str(error.reason)
    except (OSError, ValueError) as error:
        return "something else answers there" if isinstance(error, ValueError) else str(error)
    return None


def port_free(host: str, port: int) -> None:
    """Before the seconds it takes to load a server. Raises PlainError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PlainError(
                f"port {port} on {host} is in use or not allowed ({error.strerror}): another "
                "robot-rl may be running; stop what uses it, or give another one with --port"
            ) from error
