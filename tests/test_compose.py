"""docker-compose.yml asks for secrets and explains what it asks for. No container engine is needed;
whether an engine takes the file is not tried here.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from robot_rl.cli import app

FILE = Path(__file__).parents[1] / "docker-compose.yml"
TEXT = FILE.read_text()
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]
ASKED = re.findall(r"\$\{(\w+)(:?[-?])?([^}]*)\}", TEXT)


@pytest.mark.parametrize("name", sorted({name for name, _, _ in ASKED}))
def test_what_is_asked_for_is_explained(name: str) -> None:
    assert re.search(rf"^#   {name} +\S", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("name", "operator", "rest"), ASKED)
def test_no_secret_has_a_default(name: str, operator: str, rest: str) -> None:
    if re.search("PASSWORD|TOKEN|SECRET|KEY", name):
        assert operator == ":?", f"{name} may be empty"
        assert rest == f"set {name} in the environment or in .env"


def test_every_command_is_one_of_the_program() -> None:
    program = get_command(app)
    for name, service in SERVICES.items():
        if (command := service.get("command")) is not None:
            known = program.commands  # type: ignore[attr-defined]
            assert command[0] in known, name


def test_nothing_is_reached_from_elsewhere() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "--host" not in service.get("command", ()), name


def test_every_volume_is_kept_by_name() -> None:
    named = yaml.safe_load(TEXT)["volumes"].keys()
    used = {each.split(":")[0] for one in SERVICES.values() for each in one.get("volumes", ())}
    assert used == named
