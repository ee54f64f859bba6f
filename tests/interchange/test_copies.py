"""A dataset of somebody else that was copied gives the same episodes."""

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from robot_rl.config import load_task
from robot_rl.interchange import lerobot_layout as layouts
from robot_rl.interchange.lerobot_import import Import
from robot_rl.interchange.lerobot_reader import DatasetFolder
from robot_rl.interchange.mapping import Assignment


def foreign_dataset(folder: Path) -> Path:
    """Its tables of contents: two episodes of ten frames."""
    table = folder / layouts.EPISODES.format(chunk_index=0, file_index=0)
    table.parent.mkdir(parents=True)
    rows = [{"episode_index": n, "dataset_from_index": 10 * n, "length": 10} for n in range(2)]
    pq.write_table(pa.Table.from_pylist(rows), table)
    info = {"codebase_version": "v3.0", "fps": 10, "features": {}, "total_episodes": 2}
    (folder / layouts.INFO).write_text(json.dumps(info))
    return folder


def test_the_ids_of_a_copy_are_the_same(tmp_path: Path) -> None:
    dataset, copy = foreign_dataset(tmp_path / "dataset"), tmp_path / "copy"
    shutil.copytree(dataset, copy)
    os.utime(copy / layouts.INFO, (0, 0))
    assigned = Assignment(cameras={}, state={}, action=(), arms={})
    one, other = (
        Import(
            dataset=DatasetFolder(folder),
            task=load_task("lift_cube"),
            assignment=assigned,
            robot="imported",
        )
        for folder in (dataset, copy)
    )
    ids = [each(number) for each in (one.id_of, one.batch_of) for number in range(2)]
    assert ids == [each(number) for each in (other.id_of, other.batch_of) for number in range(2)]
    assert len(set(ids)) == 4
