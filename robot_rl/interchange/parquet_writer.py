"""Episodes as Parquet: a file of steps each, as they were recorded, and a table of episodes.

`steps/<episode id>.parquet` has the columns of a segment (robot_rl.schema.segment), the JPEGs among
them, one row a record, and the reward; `episodes.parquet` has a row for each of them.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from robot_rl import durable_file
from robot_rl.interchange.episode import EpisodeSource, ExportedEpisode
from robot_rl.interchange.job import ExportPlan, part_path
from robot_rl.schema.message import Message
from robot_rl.schema.segment import encode_segment, read_table
from safety.vocabulary import Source

STEPS = "steps"
EPISODES = "episodes.parquet"
_ROWS_PER_GROUP = 64
"""So few, because the pictures are in them: one is read without the others."""


class _Row(Message):
    """Of `episodes.parquet`."""

    episode_id: str
    run_id: str
    robot: str
    task: str
    instruction: str
    purpose: str
    operator: str | None
    started_t_utc: str
    step_s: float
    seed: int
    steps: int
    human_steps: int
    outcome: str | None
    failure_class: str | None
    note: str
    cause: str
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]
    identity_sha256: str


class ParquetWriter:
    """A writer of robot_rl.interchange.job."""

    def write(self, folder: Path, plan: ExportPlan, number: int, source: EpisodeSource) -> None:
        episode = source.read(plan.episodes[number])
        table = read_table(encode_segment(episode.records))
        rewards = [*episode.rewards, *[None] * (table.num_rows - len(episode.rewards))]
        table = table.append_column("reward", pa.array(rewards, pa.float64()))
        with durable_file.replacing(folder / STEPS / f"{episode.episode_id}.parquet") as file:
            pq.write_table(table, file, row_group_size=_ROWS_PER_GROUP)
        part = _row(episode).model_dump_json().encode()
        durable_file.write(part_path(folder, number), part)

    def finish(self, folder: Path, plan: ExportPlan) -> None:
        rows = [
            _Row.model_validate_json(part_path(folder, number).read_bytes())
            for number in range(len(plan.episodes))
        ]
        table = pa.Table.from_pylist([row.model_dump() for row in rows])
        place = table.schema.get_field_index("started_t_utc")
        times = table.column(place).cast(pa.timestamp("us", tz="UTC"))
        table = table.set_column(place, "started_t_utc", times)
        with durable_file.replacing(folder / EPISODES) as file:
            pq.write_table(table, file)


def _row(episode: ExportedEpisode) -> _Row:
    started = episode.started
    return _Row(
        episode_id=str(episode.episode_id),
        run_id=str(started.run_id),
        robot=started.robot,
        task=started.task,
        instruction=started.instruction,
        purpose=started.purpose,
        operator=started.operator,
        started_t_utc=started.t_utc.isoformat(),
        step_s=started.step_s,
        seed=started.seed,
        steps=len(episode.steps),
        human_steps=sum(record.step.source is Source.HUMAN for record in episode.steps),
        outcome=episode.outcome,
        failure_class=episode.failure_class,
        note=episode.note,
        cause=episode.cause,
        state_names=episode.state_names,
        action_names=episode.action_names,
        identity_sha256=started.provenance.data_sha256,
    )
