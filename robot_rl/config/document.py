"""Reading a TOML file into a model, with errors that a person can act on."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from robot_rl.config.cell import Cell
from robot_rl.config.task import Task
from robot_rl.errors import BadInput

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where `cells/` and `tasks/` lie beside the packages."""


class BadConfig(BadInput):
    """A cell or task file is wrong: the message names the file, the key, the value and what is
    allowed.
    """


def load_cell(name: str) -> Cell:
    """A cell by path or by the name of a file in `cells/`. Raises BadConfig."""
    path = _find(name, "cells")
    return load_document(path, Cell)


def load_task(name: str) -> Task:
    """A task by path or by the name of a file in `tasks/`. Raises BadConfig."""
    path = _find(name, "tasks")
    return load_document(path, Task)


def load_document[M: BaseModel](path: Path, model: type[M]) -> M:
    """A file as a model that has its `path` as a field. Raises BadConfig."""
    content = read_toml(path)
    try:
        return model.model_validate({**content, "path": path.resolve()})
    except ValidationError as error:
        raise BadConfig(_sentence(path, error)) from error


def read_toml(path: Path) -> dict[str, Any]:
    """What a file holds, unchecked. Raises BadConfig."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{path}: not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: cannot be read: {error}") from error


def file_sha256(path: Path) -> str:
    """Provenance: which exact file shaped the data."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _find(name: str, folder: str) -> Path:
    direct = Path(name)
    if direct.suffix == ".toml":
        if not direct.is_file():
            raise BadConfig(
                f"{name}: there is no such file; give a path or one of: {_names(folder)}"
            )
        return direct
    path = CHECKOUT / folder / f"{name}.toml"
    if not path.is_file():
        raise BadConfig(
            f"there is no {folder.removesuffix('s')} {name!r}; "
            f"give a path ending in .toml or one of: {_names(folder)}"
        )
    return path


def _names(folder: str) -> str:
    return ", ".join(sorted(path.stem for path in (CHECKOUT / folder).glob("*.toml"))) or "(none)"


def _sentence(path: Path, error: ValidationError) -> str:
    """The first problem as one sentence; the number of further ones after it."""
    problems = error.errors(include_url=False)
    # A misspelt key also leaves the right one missing: the misspelling is what helps.
    problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        what = " is not a known key; check the spelling or take it out"
    elif first["type"] == "missing":
        what = " is missing; add it"
    else:
        reason = first["msg"].removeprefix("Value error, ")
        # What is wrong with a whole section names the keys itself.
        value = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
        what = f"{value}: {reason[0].lower()}{reason[1:]}"
    more = f" ({len(problems) - 1} more after it)" if len(problems) > 1 else ""
    return f"{path}: {key}{what}{more}" if key else f"{path}{what}{more}"
