"""What is kept of a cell: one JSON file, written whole when the cell has ended."""

import hashlib
import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from robot_rl import durable_file
from robot_rl.config.document import CHECKOUT
from robot_rl.errors import BadInput
from robot_rl.rehearsal.report import ClassifierReport, Machine, labelled_s
from robot_rl.rehearsal.timeline import (
    EpisodeEntry,
    FrozenEvaluation,
    after,
    before,
    frozen_evaluations,
)
from robot_rl.study.cells import StudyCell, cell_name

CELLS = "cells"
_TIMEOUT_S = 30.0
_CODE = ("robot_rl", "hardware", "safety")
CODE_UNKNOWN = ""
_CHANGED = "-changed"


class BadResult(BadInput):
    """A cell's file is damaged or of another format: names the file."""


class CellReport(BaseModel):
    """What a study needs of a rehearsal's report; the file holds all of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    timeline: tuple[EpisodeEntry, ...]
    human_seconds: float
    wall_s: float
    classifier: ClassifierReport | None = None

    @property
    def frozen(self) -> tuple[FrozenEvaluation, ...]:
        return frozen_evaluations(self.timeline, labelled_s=labelled_s(self.classifier))

    @property
    def before(self) -> FrozenEvaluation | None:
        return before(self.frozen)

    @property
    def after(self) -> FrozenEvaluation | None:
        return after(self.frozen)

    @property
    def robot_s(self) -> float:
        """Of demonstrations and training."""
        return sum(entry.robot_s for entry in self.timeline if not entry.frozen)


class CodeVersion(BaseModel):
    """commit: `-changed` behind it where files differ from it, empty without a repository. tree:
    of the code alone, so that committing a result does not make another version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    tree: str

    @property
    def changed(self) -> bool:
        """Whether files differed from the commit, so that nobody can say what the code was."""
        return self.tree.endswith(_CHANGED)


class CellResult(BaseModel):
    """`cells/TASK.ARM.SEED.json`. failure: why there is no report, in the cell's own last lines.
    start_of: the cell whose evaluation before this one has (robot_rl.study.start); empty: its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    task: str
    arm: str
    seed: int
    settings_sha256: str
    settings: dict[str, Any]
    code: CodeVersion
    machine: Machine
    ended_t_utc: datetime
    wall_s: float
    failure: str = ""
    start_of: str = ""
    report: CellReport | None = None

    @property
    def name(self) -> str:
        return cell_name(self.task, self.arm, self.seed)


def result_file(folder: Path, name: str) -> Path:
    return folder / CELLS / f"{name}.json"


def write_result(folder: Path, result: CellResult, report: dict[str, Any] | None) -> None:
    """With the whole report of the rehearsal. Raises OSError."""
    document = {**result.model_dump(mode="json", exclude={"report"}), "report": report}
    text = json.dumps(document, separators=(",", ":")) + "\n"
    durable_file.write(result_file(folder, result.name), text.encode())


def read_result(folder: Path, name: str) -> CellResult | None:
    """None while the cell has not ended. Raises BadResult."""
    path = result_file(folder, name)
    try:
        return CellResult.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadResult(
            f"{path}: {where}: {first['msg']}: it is no result of this version; take it away to "
            "make it again"
        ) from error


def fits(result: CellResult, cell: StudyCell) -> bool:
    """Whether it was made with the settings that the study has now."""
    return result.settings_sha256 == cell.sha256


def code_version() -> CodeVersion:
    """Of this checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(CHECKOUT), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        ).stdout.strip()

    try:
        changed = _CHANGED if git("status", "--porcelain", "--", *_CODE) else ""
        trees = git("rev-parse", *(f"HEAD:{folder}" for folder in _CODE))
        tree = hashlib.sha256(trees.encode()).hexdigest()[:12] + changed
        return CodeVersion(commit=git("rev-parse", "HEAD") + changed, tree=tree)
    except (OSError, subprocess.CalledProcessError):
        return CodeVersion(commit="", tree=CODE_UNKNOWN)  # installed without its repository
