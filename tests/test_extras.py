"""Each role installs what it needs and no more; a missing library is one sentence."""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from robot_rl.commands import extras
from robot_rl.commands.problems import plain

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
HEAVY = {"torch", "lerobot", "transformers", "mujoco", "gym-hil", "numba", "scipy"}


def declared() -> list[str]:
    """As the metadata of an installation have it."""
    optional = PROJECT["optional-dependencies"]
    return PROJECT["dependencies"] + [
        f'{line} ; extra == "{extra}"' for extra, lines in optional.items() for line in lines
    ]


@pytest.fixture(autouse=True)
def _of_this_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment may hold the metadata of an older tree."""
    monkeypatch.setattr(extras, "requires", lambda _: declared())


def brought_with(names: set[str]) -> set[str]:
    """Everything that comes with these distributions, as what is installed here says."""
    found: set[str] = set()
    waiting = {(name, "") for name in names}
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        found.add(name)
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another platform or another Python
        for line in lines:
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
                continue
            for part in {"", *wanted.extras}:
                step = (canonicalize_name(wanted.name), part)
                if step not in seen:
                    seen.add(step)
                    waiting.add(step)
    return found


def test_a_server_brings_no_learning_and_no_simulation() -> None:
    base = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert {"fastapi", "sqlalchemy"} <= (server := brought_with(base | extras.closure("server")))
    assert server & HEAVY == set()
    assert brought_with(extras.closure("learner")) >= {"torch", "lerobot"}  # else it shows nothing


def test_all_is_every_role() -> None:
    assert extras.closure("all") == set().union(*map(extras.closure, extras.ROLES))


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("torch", "'robot-rl[robot]' or 'robot-rl[learner]'"),
        ("mujoco", "'robot-rl[sim]'"),
        ("fastapi", "'robot-rl[server]'"),
        ("sqlalchemy.exc", "'robot-rl[server]'"),
        ("gym_hil", "'robot-rl[sim]'"),
        ("mcap.writer", "'robot-rl[export]'"),
        ("rerun", "'robot-rl[export]'"),
        ("cv2", "'robot-rl[robot]' or 'robot-rl[learner]'"),
    ],
)
def test_a_missing_library_is_named_with_the_extra_that_brings_it(module: str, extra: str) -> None:
    problem = plain(ModuleNotFoundError(f"No module named {module!r}", name=module))
    library = module.partition(".")[0]
    assert str(problem) == f"{library} is not installed here, and this needs it: install {extra}"


def test_a_module_of_ours_that_is_missing_is_a_defect() -> None:
    assert plain(ModuleNotFoundError("No module named 'robot_rl.nothing'", name="robot_rl")) is None


@pytest.mark.parametrize(
    "module", ["robot_rl.server.process", "robot_rl.server.openapi_file", "robot_rl.cli"]
)
def test_what_a_server_loads_it_has_installed(module: str) -> None:
    """Where the other roles' libraries cannot be imported, as after `pip install .[server]`."""
    base = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    others = set().union(*(extras.closure(role) for role in ("robot", "learner", "sim")))
    barred = sorted(others - brought_with(base | extras.closure("server")))
    script = (
        "import sys\n"
        f"for name in {barred!r}: sys.modules[name.replace('-', '_')] = None\n"
        f"import {module}\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
