"""A LeRobotDataset v3 in a folder, read without LeRobot."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pad
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from robot_rl.errors import BadInput
from robot_rl.interchange import lerobot_layout as layouts
from robot_rl.interchange import video
from robot_rl.interchange.lerobot_layout import OURS, DatasetEpisode
from robot_rl.interchange.mapping import Offered
from robot_rl.interchange.video import Image


class BadDataset(BadInput):
    """The folder is not a LeRobotDataset v3 that can be read: one plain sentence."""


class _Feature(BaseModel):
    """Of `info.json`, as much of it as is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    dtype: str
    shape: tuple[int, ...]
    names: Any = None


class _Info(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    codebase_version: str
    fps: float
    features: dict[str, _Feature]
    total_episodes: int
    data_path: str = layouts.DATA
    video_path: str | None = layouts.VIDEO
    robot_type: str | None = None


class DatasetFolder:
    """Checked as far as its tables of contents. Raises BadDataset."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._info_bytes = _read(folder / layouts.INFO)
        try:
            info = _Info.model_validate_json(self._info_bytes)
        except ValidationError as error:
            raise BadDataset(f"{folder / layouts.INFO} cannot be read: {error}") from error
        if not info.codebase_version.startswith("v3."):
            raise BadDataset(
                f"{folder} is a LeRobotDataset {info.codebase_version} and only v3 can be read: "
                "bring it there with LeRobot's convert_dataset_v21_to_v30"
            )
        self.rate = info.fps
        self.robot_type = info.robot_type or "unknown"
        self.features = info.features
        self._info = info
        self.episodes = self._episodes()
        if len(self.episodes) != info.total_episodes:
            raise BadDataset(
                f"{folder} says {info.total_episodes} episodes and lists {len(self.episodes)}"
            )

    def _episodes(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "meta/episodes").glob("*/*.parquet"))
        rows: list[dict[str, Any]] = []
        for file in files:
            table = _table(file)
            names = [name for name in table.column_names if not name.startswith("stats/")]
            rows += table.select(names).to_pylist()
        return sorted(rows, key=lambda row: row["episode_index"])

    @cached_property
    def fingerprint(self) -> str:
        """Of what the dataset says it holds."""
        digest = hashlib.sha256(self._info_bytes)
        for file in sorted((self.folder / "meta").rglob("*.parquet")):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    @property
    def written_t_utc(self) -> datetime:
        return datetime.fromtimestamp((self.folder / layouts.INFO).stat().st_mtime, UTC)

    @property
    def offered(self) -> Offered:
        """What an import can take."""
        pictures = [n for n, each in self.features.items() if each.dtype in ("video", "image")]
        vectors = {
            name: _names(name, each)
            for name, each in self.features.items()
            if name not in pictures
            and each.dtype.startswith(("float", "int"))
            and len(each.shape) == 1
            and (name == layouts.ACTION or name.startswith("observation."))
        }
        ours = bool(self.episodes) and f"{OURS}episode_id" in self.episodes[0]
        return Offered(pictures=tuple(pictures), vectors=vectors, ours=ours)

    def size(self, pictures: str) -> video.PictureSize:
        """Of the pictures of a feature."""
        shape = self.features[pictures].shape
        height, width = shape[1:] if shape[0] == 3 else shape[:2]
        return video.PictureSize(height=height, width=width)

    def facts(self, number: int) -> DatasetEpisode:
        """What robot-rl kept there; nothing in a dataset of somebody else."""
        row = self.episodes[number]
        names = DatasetEpisode.model_fields
        return DatasetEpisode(**{n: row[OURS + n] for n in names if OURS + n in row})

    def instruction(self, number: int) -> str:
        return "; ".join(self.episodes[number].get("tasks") or ())

    def steps(self, number: int) -> pa.Table:
        """The rows of an episode, in order; pictures that lie in the table among them."""
        row = self.episodes[number]
        place = self._info.data_path.format(
            chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
        )
        table = _table(self.folder / place, episode=number).sort_by("frame_index")
        if table.num_rows != row["length"]:
            raise BadDataset(
                f"episode {number} of {self.folder} should have {row['length']} frames and has "
                f"{table.num_rows}"
            )
        return table

    def pictures(self, number: int, name: str, steps: pa.Table) -> Iterator[Image]:
        """One a step. Raises BadDataset or BadVideo."""
        if self.features[name].dtype == "image":
            for stored in steps[name].to_pylist():
                yield video.decode_picture(stored["bytes"])
            return
        row, pattern = self.episodes[number], self._info.video_path or layouts.VIDEO
        place = pattern.format(
            video_key=name,
            chunk_index=row[f"videos/{name}/chunk_index"],
            file_index=row[f"videos/{name}/file_index"],
        )
        start_s = row[f"videos/{name}/from_timestamp"]
        yield from video.decode(self.folder / place, start_s, steps.num_rows, self.rate)


def vector(steps: pa.Table, name: str) -> NDArray[np.float64]:
    """(steps, values)."""
    values = np.array(steps[name].to_pylist(), np.float64)
    return values.reshape(steps.num_rows, -1)


def _names(name: str, feature: _Feature) -> tuple[str, ...]:
    """As many as there are values; by number where the dataset names none."""
    named = feature.names
    if isinstance(named, Mapping):
        named = [each for names in named.values() for each in names]
    if isinstance(named, list) and len(named) == feature.shape[0]:
        return tuple(map(str, named))
    return tuple(f"{name}.{index}" for index in range(feature.shape[0]))


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        json.loads(data)
    except FileNotFoundError as error:
        raise BadDataset(
            f"{path} does not exist: give the folder of a LeRobotDataset v3"
        ) from error
    except ValueError as error:
        raise BadDataset(f"{path} is not JSON: {error}") from error
    return data


def _table(path: Path, episode: int | None = None) -> pa.Table:
    try:
        if episode is None:
            return pq.read_table(path)
        return pad.dataset(path, format="parquet").to_table(
            filter=pad.field("episode_index") == episode
        )
    except (OSError, pa.ArrowException) as error:
        raise BadDataset(f"{path} cannot be read: {error}") from error
