"""Episodes as a LeRobotDataset v3, written without LeRobot.

A frame is a step: what was seen before it and the action that was executed. The last record of an
episode, which has no action, is left out. Every episode has a video file of its own per camera, so
that an export that was cut off leaves no half one; the tables are put together at the end.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robot_rl import durable_file
from robot_rl.interchange import lerobot_layout as layouts
from robot_rl.interchange import statistics, video
from robot_rl.interchange.episode import EpisodeSource, ExportedEpisode, NotExportable
from robot_rl.interchange.job import ExportPlan, part_path
from robot_rl.interchange.lerobot_layout import (
    FILES_PER_CHUNK,
    OURS,
    PICTURES,
    DatasetEpisode,
    EpisodePart,
    Layout,
)
from robot_rl.interchange.video import Image
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import state_vector

_SAME_RATE = 1e-6  # Hz: a rate is whole up to rounding
_PANDAS = {
    "index_columns": ["task"],
    "column_indexes": [],
    "columns": [
        {"name": name, "field_name": name, "pandas_type": pandas, "numpy_type": numpy}
        for name, pandas, numpy in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ],
    "pandas_version": "2.3.3",
}
"""LeRobot reads the tasks with pandas, the text as the index."""


class LeRobotWriter:
    """A writer of robot_rl.interchange.job."""

    def write(self, folder: Path, plan: ExportPlan, number: int, source: EpisodeSource) -> None:
        """Raises NotExportable or BadVideo."""
        episode = source.read(plan.episodes[number])
        layout = layout_of(episode)
        found: dict[str, statistics.Statistics] = {}
        repeated = np.zeros(len(episode.steps), bool)
        for camera in layout.cameras:
            pictures = _Pictures(episode, camera)
            data = video.encode(pictures, layout.size(camera), layout.rate, plan.codec)
            place = layouts.place(layouts.VIDEO, number, video_key=PICTURES + camera)
            durable_file.write(folder / place, data)
            found[PICTURES + camera] = statistics.of_pictures(pictures.sampled)
            repeated |= pictures.repeated
        columns = _columns(episode, layout, repeated)
        for name, feature in layouts.stored_features(layout).items():
            if name in columns and feature["dtype"] != "string":
                values = columns[name].astype(np.float64)
                found[name] = statistics.of_column(values.reshape(len(values), -1))
        with durable_file.replacing(part_path(folder, number, "parquet")) as file:
            pq.write_table(_table(columns, layout), file)
        part = EpisodePart(
            length=len(episode.steps),
            instruction=episode.started.instruction,
            layout=layout,
            facts=_facts(episode),
            statistics=found,
        )
        durable_file.write(part_path(folder, number), part.model_dump_json().encode())

    def finish(self, folder: Path, plan: ExportPlan) -> None:
        """Raises NotExportable when the episodes do not fit together."""
        parts = [
            EpisodePart.model_validate_json(part_path(folder, number).read_bytes())
            for number in range(len(plan.episodes))
        ]
        layout = _common_layout(parts, plan)
        tasks = sorted({part.instruction for part in parts})
        starts = np.cumsum([0, *(part.length for part in parts)]).tolist()
        files = _write_data(folder, parts, tasks, starts)
        _write_tasks(folder, tasks)
        _write_episodes(folder, parts, starts, files)
        combined = _with_counters(parts, tasks, starts)
        durable_file.write(folder / layouts.STATISTICS, json.dumps(combined, indent=4).encode())
        info = {
            "codebase_version": layouts.VERSION,
            "fps": layout.rate,
            "features": layouts.features(layout, plan.codec),
            "total_episodes": len(parts),
            "total_frames": starts[-1],
            "total_tasks": len(tasks),
            "chunks_size": FILES_PER_CHUNK,
            "data_files_size_in_mb": layouts.DATA_FILE_BYTES // 2**20,
            "video_files_size_in_mb": 200,
            "data_path": layouts.DATA,
            "video_path": layouts.VIDEO if layout.cameras else None,
            "robot_type": parts[0].facts.robot,
            "splits": {"train": f"0:{len(parts)}"},
        }
        durable_file.write(folder / layouts.INFO, json.dumps(info, indent=4).encode())


def layout_of(episode: ExportedEpisode) -> Layout:
    """Raises NotExportable or BadVideo."""
    started = episode.started
    rate = round(1 / started.step_s)
    if abs(1 / started.step_s - rate) > _SAME_RATE:
        raise NotExportable(
            f"episode {episode.episode_id} has a step every {started.step_s:g} s, and LeRobot's "
            "format knows whole steps a second only: export it as parquet"
        )
    if not episode.steps:
        raise NotExportable(
            f"episode {episode.episode_id} has no step with an action: leave it out"
        )
    cameras: dict[str, tuple[int, int]] = {}
    for camera in started.cameras:
        jpeg = next((r.images[camera] for r in episode.steps if camera in r.images), None)
        if jpeg is None:
            raise NotExportable(
                f"episode {episode.episode_id} has no picture of {camera!r}: leave it out"
            )
        size = video.jpeg_size(jpeg)
        cameras[camera] = (size.height, size.width)
    return Layout(
        rate=rate,
        cameras=cameras,
        state_names=episode.state_names,
        action_names=episode.action_names,
    )


class _Pictures:
    """One camera's, a step each. Where a step has none, that before it (the first that came)."""

    def __init__(self, episode: ExportedEpisode, camera: str) -> None:
        self._steps: Sequence[RecordedStep] = episode.steps
        self._camera = camera
        self.repeated = np.array([camera not in record.images for record in self._steps])
        self.sampled: list[Image] = []

    def __iter__(self) -> Iterator[Image]:
        shown = next(r.images[self._camera] for r in self._steps if self._camera in r.images)
        wanted = statistics.sampled(len(self._steps))
        for position, record in enumerate(self._steps):
            shown = record.images.get(self._camera, shown)
            picture = video.decode_jpeg(shown)
            if position in wanted:
                self.sampled.append(picture)
            yield picture


def _columns(
    episode: ExportedEpisode, layout: Layout, repeated: np.ndarray
) -> dict[str, np.ndarray]:
    """But for what depends on the other episodes."""
    steps = [record.step for record in episode.steps]
    count, width = len(steps), len(layout.action_names)
    columns = {
        layouts.STATE: np.array([state_vector(step.arms) for step in steps], np.float32),
        layouts.ACTION: np.array([episode.executed(i) for i in range(count)], np.float32),
    }
    for name in layouts.ACTIONS:
        given = [getattr(step, name) for step in steps]
        columns[name] = np.array([each or (0.0,) * width for each in given], np.float32)
        columns[f"has_{name}"] = np.array([each is not None for each in given])
    last = np.array([episode.is_last(index) for index in range(count)])
    after = [record.step for record in episode.records[1 : count + 1]]
    truncated = [step.truncated for step in after] + [False] * (count - len(after))
    versions = [-1 if step.policy_version is None else step.policy_version for step in steps]
    return columns | {
        layouts.REWARD: np.array(episode.rewards, np.float32),
        layouts.DONE: last,
        layouts.TRUNCATED: np.array(truncated),
        layouts.SUCCESS: np.array([episode.succeeds(index) for index in range(count)]),
        layouts.INTERVENTION: np.array([step.intervention_id is not None for step in steps]),
        layouts.PHASE: np.array([str(step.phase or "") for step in steps], object),
        layouts.SOURCE: np.array([str(step.source) for step in steps], object),
        layouts.VERSION_ACTED: np.array(versions, np.int64),
        layouts.REPEATED: repeated,
        "timestamp": (np.arange(count) / layout.rate).astype(np.float32),
        "frame_index": np.arange(count),
    }


def _table(columns: dict[str, np.ndarray], layout: Layout) -> pa.Table:
    arrays: dict[str, pa.Array] = {}
    for name, feature in layouts.stored_features(layout).items():
        if name not in columns:
            continue
        values, (width,) = columns[name], feature["shape"]
        if width == 1 and values.ndim == 1:
            arrays[name] = pa.array(values.tolist(), _kind(feature["dtype"]))
        else:
            arrays[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), width)
    return pa.table(arrays)


def _kind(dtype: str) -> pa.DataType:
    return {
        "bool": pa.bool_(),
        "string": pa.string(),
        "int64": pa.int64(),
        "float32": pa.float32(),
    }[dtype]


def _facts(episode: ExportedEpisode) -> DatasetEpisode:
    started = episode.started
    return DatasetEpisode(
        episode_id=str(episode.episode_id),
        robot=started.robot,
        task=started.task,
        purpose=started.purpose,
        operator=started.operator or "",
        outcome=episode.outcome or "",
        failure_class=episode.failure_class or "",
        note=episode.note,
        cause=episode.cause,
        started_t_utc=started.t_utc.isoformat(),
        provenance=started.provenance.model_dump_json(),
        seed=started.seed,
    )


def _common_layout(parts: Sequence[EpisodePart], plan: ExportPlan) -> Layout:
    first = parts[0].layout
    for part, episode_id in zip(parts, plan.episodes, strict=True):
        differs = layouts.difference(first, part.layout)
        if differs:
            raise NotExportable(
                f"episode {episode_id} does not fit into one dataset with {plan.episodes[0]}: it "
                f"has {differs}; ask for those of one task and robot, into a new folder"
            )
    return first


def _write_data(
    folder: Path, parts: Sequence[EpisodePart], tasks: Sequence[str], starts: Sequence[int]
) -> list[int]:
    """The number of the file that each episode is in; an episode is a row group."""
    files: list[int] = []
    number, waiting = 0, list(range(len(parts)))
    while waiting:
        with durable_file.replacing(folder / layouts.place(layouts.DATA, number)) as file:
            writer: pq.ParquetWriter | None = None
            while waiting and file.tell() < layouts.DATA_FILE_BYTES:
                episode = waiting.pop(0)
                table = _whole_table(folder, parts[episode], episode, tasks, starts[episode])
                writer = writer or pq.ParquetWriter(file, table.schema)
                writer.write_table(table)
                files.append(number)
            if writer is not None:
                writer.close()
        number += 1
    return files


def _whole_table(
    folder: Path, part: EpisodePart, number: int, tasks: Sequence[str], start: int
) -> pa.Table:
    table = pq.read_table(part_path(folder, number, "parquet"))
    for name, values in _counters(part, number, tasks, start).items():
        table = table.append_column(name, pa.array(values, pa.int64()))
    return table.select(list(layouts.stored_features(part.layout)))


def _counters(
    part: EpisodePart, number: int, tasks: Sequence[str], start: int
) -> dict[str, np.ndarray]:
    return {
        "episode_index": np.full(part.length, number),
        "index": np.arange(start, start + part.length),
        "task_index": np.full(part.length, tasks.index(part.instruction)),
    }


def _write_tasks(folder: Path, tasks: Sequence[str]) -> None:
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": list(tasks)})
    described = table.replace_schema_metadata({b"pandas": json.dumps(_PANDAS).encode()})
    with durable_file.replacing(folder / layouts.TASKS) as file:
        pq.write_table(described, file)


def _write_episodes(
    folder: Path, parts: Sequence[EpisodePart], starts: Sequence[int], files: Sequence[int]
) -> None:
    rows: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        chunk, file = divmod(files[number], FILES_PER_CHUNK)
        row: dict[str, Any] = {
            "episode_index": number,
            "tasks": [part.instruction],
            "length": part.length,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": starts[number],
            "dataset_to_index": starts[number + 1],
        }
        for camera in part.layout.cameras:
            chunk, file = divmod(number, FILES_PER_CHUNK)
            row |= {
                f"videos/{PICTURES}{camera}/chunk_index": chunk,
                f"videos/{PICTURES}{camera}/file_index": file,
                f"videos/{PICTURES}{camera}/from_timestamp": 0.0,
                f"videos/{PICTURES}{camera}/to_timestamp": part.length / part.layout.rate,
            }
        row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        row |= {OURS + name: value for name, value in part.facts.model_dump().items()}
        for name, found in _shaped(part.statistics).items():
            row |= {f"stats/{name}/{each}": values for each, values in found.items()}
        rows.append(row)
    with durable_file.replacing(folder / layouts.place(layouts.EPISODES, 0)) as file:
        pq.write_table(pa.Table.from_pylist(rows), file)


def _with_counters(
    parts: Sequence[EpisodePart], tasks: Sequence[str], starts: Sequence[int]
) -> dict[str, Any]:
    """Statistics of all episodes."""
    every = [
        part.statistics
        | {
            name: statistics.of_column(values.astype(np.float64)[:, None])
            for name, values in _counters(part, number, tasks, starts[number]).items()
        }
        for number, part in enumerate(parts)
    ]
    names = every[0]
    return _shaped({name: statistics.combined(each[name] for each in every) for name in names})


def _shaped(found: dict[str, statistics.Statistics]) -> dict[str, Any]:
    return {
        name: statistics.shaped_for_pictures(each) if name.startswith(PICTURES) else each
        for name, each in found.items()
    }
