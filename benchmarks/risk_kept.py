"""What `bench risk` keeps of its parts, each whole or not at all, so that it can go on."""

import hashlib
import shutil
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from robot_rl import durable_file
from robot_rl.errors import PlainError
from robot_rl.evaluation.risk_figures import Floats, RiskEpisode
from robot_rl.rehearsal.report import RehearsalReport

ROOT = Path(__file__).resolve().parents[1]
SETTINGS, TRAINED = "settings.json", "trained.json"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BenchSettings(_Message):
    """Of the whole benchmark: parts of others are not to be mixed."""

    code: str
    force_n: float
    minutes: float
    episodes: int
    seed: int


class KeptEpisode(_Message):
    """A RiskEpisode and the seed of its scene; None where no critic judged, or had a threshold."""

    seed: int
    success: bool
    unsafe: tuple[bool, ...]
    held: tuple[bool, ...]
    replaced: tuple[bool, ...]
    recovered: tuple[bool, ...]
    risk: tuple[float | None, ...]
    threshold: tuple[float | None, ...]

    @classmethod
    def of(cls, seed: int, episode: RiskEpisode) -> Self:
        return cls(
            seed=seed,
            success=episode.success,
            unsafe=tuple(episode.unsafe.tolist()),
            held=tuple(episode.held.tolist()),
            replaced=tuple(episode.replaced.tolist()),
            recovered=tuple(episode.recovered.tolist()),
            risk=_known(episode.risk),
            threshold=_known(episode.threshold),
        )

    @property
    def episode(self) -> RiskEpisode:
        return RiskEpisode(
            success=self.success,
            unsafe=np.array(self.unsafe, np.bool_),
            held=np.array(self.held, np.bool_),
            replaced=np.array(self.replaced, np.bool_),
            recovered=np.array(self.recovered, np.bool_),
            risk=_numbers(self.risk),
            threshold=_numbers(self.threshold),
        )


class Block(_Message):
    """Some scenes in a row, with the critic acting or warning."""

    wall_s: float
    load_1_min: float  # when it began
    episodes: tuple[KeptEpisode, ...]


class Kept:
    """The folder of one benchmark. Raises PlainError where it is of other code or settings."""

    def __init__(self, folder: Path, settings: BenchSettings) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / SETTINGS
        if not file.is_file():
            durable_file.write(file, settings.model_dump_json().encode())
        elif BenchSettings.model_validate_json(file.read_bytes()) != settings:
            raise PlainError(
                f"{folder} holds results of other code or of other settings: choose another folder"
            )

    def new_data(self, name: str) -> Path:
        """An empty data folder in it; what was in one of that name is gone."""
        data = self.folder / name
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        return data

    def trained(self) -> RehearsalReport | None:
        """None until the training is whole."""
        file = self.folder / TRAINED
        return RehearsalReport.model_validate_json(file.read_bytes()) if file.is_file() else None

    def keep_trained(self, report: RehearsalReport) -> None:
        durable_file.write(self.folder / TRAINED, report.model_dump_json().encode())

    def block(self, name: str) -> Block | None:
        file = self._file(name)
        if not file.is_file():
            return None
        try:
            return Block.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise PlainError(f"{file} is damaged: remove it, and its scenes run again") from error

    def keep_block(self, name: str, block: Block) -> None:
        durable_file.write(self._file(name), block.model_dump_json().encode())

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def code_sha256() -> str:
    """Of everything that decides a result."""
    files = [path for name in ("robot_rl", "safety", "hardware") for path in _python(ROOT / name)]
    files += [*sorted((ROOT / "benchmarks").glob("risk*.py")), ROOT / "cells/simulation.toml"]
    files += [ROOT / "tasks/insert_peg.toml"]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _python(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _known(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)


def _numbers(values: tuple[float | None, ...]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], np.float64)
