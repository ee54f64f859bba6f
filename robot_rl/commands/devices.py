"""Checks of `doctor`: what the installed drivers of cameras and input devices find attached.

Nothing is opened or moved. Each driver is asked in a process of its own (commands/attached.py),
because a device library may crash.
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from hardware.driver import Attached, DriverSettings
from robot_rl.commands.finding import Finding, ok, problem, warning
from robot_rl.config.drivers import CAMERAS, TELEOP, find, known

if TYPE_CHECKING:
    from robot_rl.config import Cell

PATIENCE_S = 30.0
FOUND: TypeAdapter[tuple[Attached, ...]] = TypeAdapter(tuple[Attached, ...])
_KINDS = {CAMERAS: "camera", TELEOP: "teleop"}
_INSTALL = "install the driver's package and the libraries that it needs"
_PLUG = (
    "plug it in, or correct the cell; a device that is plugged in may need the rules of deploy/udev"
)


class _Untold(RuntimeError):
    """A driver could not say what is attached: one clause."""


def attached() -> list[Finding]:
    """What each driver finds. Only a cell that names the driver needs any of it."""
    return [
        _of_driver(group, name)
        for group in _KINDS
        for name in known(group)
        if _driver(group, name) is None or _driver(group, name).attached is not None
    ]


def of_cell(cell: "Cell") -> list[Finding]:
    """Whether the devices that a cell names are there, and can be used."""
    return [
        _of_section(group, label, section)
        for group, label, section in _sections(cell)
        if find(group, section.driver).attached is not None
    ]


def _of_driver(group: str, name: str) -> Finding:
    title = f"{name} ({_KINDS[group]})"
    try:
        found = _ask(group, name)
    except _Untold as error:
        return warning(title, str(error), f"only cells that name it need it: {_INSTALL}")
    names = ", ".join(each.name for each in found)
    unusable = next((each for each in found if each.problem), None)
    if unusable is not None:
        return warning(title, f"{names}; {unusable.problem}", unusable.mend)
    return ok(title, names or "none attached")


def _of_section(group: str, label: str, section: DriverSettings) -> Finding:
    try:
        found = _ask(group, section.driver)
    except _Untold as error:
        return problem(label, str(error), f"{_INSTALL}: the cell names it")
    try:
        meant = section.among(found)
    except LookupError as error:
        names = ", ".join(each.name for each in found) or "none"
        return problem(label, f"{error.args[0]} (attached: {names})", _PLUG)
    return problem(label, meant.problem, meant.mend) if meant.problem else ok(label, meant.name)


def _sections(cell: "Cell") -> Iterator[tuple[str, str, DriverSettings]]:
    for name, camera in cell.cameras.items():
        yield CAMERAS, f"camera {name}", camera
    for device in cell.teleop:
        yield TELEOP, f"teleop {device.driver}", device


def _driver(group: str, name: str) -> Any:
    """None when it does not load, which its own process then says."""
    try:
        return find(group, name)
    except ValueError:
        return None


@cache
def _ask(group: str, name: str) -> tuple[Attached, ...]:
    """Raises _Untold."""
    command = [sys.executable, "-m", "robot_rl.commands.attached", group, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise _Untold(
            f"what is attached cannot be told: its library says nothing for {PATIENCE_S:.0f} s"
        ) from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it ended the program"])[-1]
        raise _Untold(f"what is attached cannot be told ({said})")
    return FOUND.validate_json(done.stdout.strip().splitlines()[-1])
