"""Episodes of a LeRobotDataset as episodes of a task, the way a robot would send them.

What a dataset of robot-rl was recorded for is kept; others are demonstrations. The ids follow from
the content of the dataset and the task: imported again, or from a copy, it is the same episode.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from robot_rl.config.cell import Cell
from robot_rl.config.document import file_sha256
from robot_rl.config.identity import data_identity, task_facts
from robot_rl.config.task import Task
from robot_rl.interchange import lerobot_layout as layouts
from robot_rl.interchange import video
from robot_rl.interchange.lerobot_reader import BadDataset, DatasetFolder, vector
from robot_rl.interchange.mapping import Assignment, ColumnOf
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Outcome,
    Provenance,
    Purpose,
)
from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import ArmObservation, FrameStamp, RewardEvidence, Step, state_names
from safety.vocabulary import Phase, Source

LABELLER = "import"
_SAME_RATE = 1e-3  # Hz
_ID_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)  # a dataset of somebody else keeps no time
_LARGEST = 1.0 + 1e-3  # of an action as it was ordered, with rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedEpisode:
    started: EpisodeStarted
    records: Sequence[RecordedStep]
    interventions: Sequence[InterventionEnded]
    ended: EpisodeEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """cell: the dataset was recorded in such a one. Checked by `check` before anything is read."""

    dataset: DatasetFolder
    task: Task
    assignment: Assignment
    robot: str
    cell: Cell | None = None

    def check(self) -> None:
        """Raises BadDataset."""
        dataset, task = self.dataset, self.task
        if abs(dataset.rate - 1 / task.step_s) > _SAME_RATE:
            raise BadDataset(
                f"{dataset.folder} has {dataset.rate:g} frames a second and the task {task.name} "
                f"{1 / task.step_s:g} steps: give a task with step_s = {1 / dataset.rate:.6g}"
            )
        for camera, feature in self.assignment.cameras.items():
            size = dataset.size(feature)
            wanted = None if self.cell is None else self.cell.cameras[camera]
            if wanted is not None and (wanted.height, wanted.width) != (size.height, size.width):
                raise BadDataset(
                    f"{feature} has pictures of {size} and the camera {camera!r} of the cell is "
                    f"{wanted.width} × {wanted.height}: give a cell with cameras of that size"
                )
        if dataset.offered.ours:
            return  # what was executed may be a little more than what was ordered
        for number in range(len(dataset.episodes)):
            actions = self._matrix(dataset.steps(number), self.assignment.action)
            if not np.isfinite(actions).all() or np.abs(actions).max() > _LARGEST:
                column = task.action.names[int(np.abs(actions).max(axis=0).argmax())]
                raise BadDataset(
                    f"episode {number} has actions of {np.abs(actions).max():.4g} in the column "
                    f"{column}, and those of a task are changes in −1 … 1, where 1 is the task's "
                    "scale: write the dataset's actions anew in these units"
                )

    def read(self, number: int) -> ImportedEpisode:
        """Raises BadDataset or BadVideo."""
        dataset, task = self.dataset, self.task
        table, facts = dataset.steps(number), dataset.facts(number)
        began = self._began(number)
        episode_id = self.id_of(number)
        records = self._records(number, table, episode_id, began)
        marks = [record.step.intervention_id for record in records]
        outcome = self._outcome(number, table)
        t_ns = records[-1].step.t_robot_ns
        started = EpisodeStarted(
            episode_id=episode_id,
            run_id=derived_id(
                self._id_time(number), f"{dataset.fingerprint} {task.name} {self.robot} run"
            ),
            robot=self.robot,
            task=task.name,
            instruction=dataset.instruction(number) or task.instruction,
            purpose=Purpose(facts.purpose or Purpose.DEMONSTRATION),
            seed=facts.seed,
            step_s=task.step_s,
            cameras=task.cameras,
            joints=sum(joints for joints, _ in self.assignment.arms.values()),
            operator=facts.operator or None,
            provenance=self._provenance(number),
            t_robot_ns=records[0].step.t_robot_ns,
            t_utc=began,
        )
        ended = EpisodeEnded(
            episode_id=episode_id,
            outcome=outcome,
            cause=facts.cause or "imported",
            labeller=LABELLER,
            steps=table.num_rows,
            human_steps=sum(record.step.source is Source.HUMAN for record in records),
            failure_class=facts.failure_class or None,
            note=facts.note or f"imported from {dataset.folder.name}, episode {number}",
            t_robot_ns=t_ns,
            t_utc=records[-1].step.t_utc,
        )
        interventions = [
            self._intervention(mark, [r for r in records if r.step.intervention_id == mark])
            for mark, _ in groupby(marks)
            if mark is not None
        ]
        return ImportedEpisode(
            started=started, records=records, interventions=interventions, ended=ended
        )

    def id_of(self, number: int) -> UUID:
        return derived_id(self._id_time(number), f"{self._name(number)} episode")

    def batch_of(self, number: int) -> UUID:
        """What its arrival is known by."""
        return derived_id(self._id_time(number), f"{self._name(number)} batch")

    def _name(self, number: int) -> str:
        return f"{self.dataset.fingerprint} {self.task.name} {self.robot} {number}"

    def _began(self, number: int) -> datetime:
        """As kept, else about when the dataset was written, which a copy may not know."""
        return self._time(number, self.dataset.written_t_utc)

    def _id_time(self, number: int) -> datetime:
        """The same for every copy of the dataset."""
        return self._time(number, _ID_EPOCH)

    def _time(self, number: int, dataset_began: datetime) -> datetime:
        kept = self.dataset.facts(number).started_t_utc
        if kept:
            return datetime.fromisoformat(kept)
        before = self.dataset.episodes[number]["dataset_from_index"]
        return dataset_began + timedelta(seconds=before / self.dataset.rate)

    def _outcome(self, number: int, table: pa.Table) -> Outcome:
        """As kept, as `next.success` says, else a success: it is a demonstration."""
        kept = self.dataset.facts(number).outcome
        if kept:
            return Outcome(kept)
        if layouts.SUCCESS not in table.column_names:
            return Outcome.SUCCESS
        return Outcome.SUCCESS if any(vector(table, layouts.SUCCESS)) else Outcome.FAILURE

    def _provenance(self, number: int) -> Provenance:
        """That of the recording where it is kept; else the task's, and what is known of the cell.

        Data of another arm or of other pictures is not trained on together with that of a cell
        until an engineer admits it.
        """
        kept = self.dataset.facts(number).provenance
        if kept:
            return Provenance.model_validate_json(kept)
        if self.cell is not None:
            identity = data_identity(self.cell, self.task)
        else:
            facts = {"arm": f"imported, {self.dataset.robot_type}"}
            for camera, feature in self.assignment.cameras.items():
                size = self.dataset.size(feature)
                facts[f"camera.{camera}"] = f"imported, {size}"
            identity = DataIdentity(facts={**task_facts(self.task), **facts})
        return Provenance(
            cell_sha256="0" * 64 if self.cell is None else file_sha256(self.cell.path),
            task_sha256=file_sha256(self.task.path),
            calibration_sha256="0" * 64,
            code_version=f"imported from LeRobotDataset {self.dataset.fingerprint[:12]}",
            identity=identity,
        )

    def _records(
        self, number: int, table: pa.Table, episode_id: UUID, began: datetime
    ) -> list[RecordedStep]:
        """N + 1: the last is what was seen last once more, all cameras stale."""
        cameras = {
            camera: self.dataset.pictures(number, feature, table)
            for camera, feature in self.assignment.cameras.items()
        }
        observed = self._observations(table)
        done = self._steps(table, episode_id, began, observed)
        records: list[RecordedStep] = []
        for step in done[:-1]:
            jpegs = {name: video.encode_jpeg(next(each)) for name, each in cameras.items()}
            records.append(RecordedStep(step=step, images=jpegs))
        records.append(RecordedStep(step=done[-1], images=records[-1].images))
        return records

    def _steps(
        self,
        table: pa.Table,
        episode_id: UUID,
        began: datetime,
        observed: Sequence[dict[str, ArmObservation]],
    ) -> list[Step]:
        count, step_ns = table.num_rows, self.task.step_ns
        start_ns = int(began.timestamp() * 1e9)
        actions = self._matrix(table, self.assignment.action)
        kept = _Kept(table, episode_id, began)
        truncated = kept.flag(layouts.TRUNCATED)
        steps: list[Step] = []
        for index in range(count + 1):
            t_ns, last = start_ns + index * step_ns, index == count
            values: dict[str, Any] = {
                "episode_id": episode_id,
                "index": index,
                "t_robot_ns": t_ns,
                "t_utc": began + timedelta(seconds=index * self.task.step_s),
                "arms": observed[min(index, count - 1)],
                "frames": {
                    camera: FrameStamp(number=min(index, count - 1), capture_ns=t_ns)
                    for camera in self.assignment.cameras
                },
                "evidence": RewardEvidence(simulator_success=kept.succeeded(index - 1)),
            }
            if last:
                values["terminated"] = not truncated[-1]
                values["truncated"] = truncated[-1]
                values["stale_cameras"] = self.task.cameras
            else:
                action = tuple(actions[index].tolist())
                values |= {"executed_action": action, **kept.of_step(index, action)}
            steps.append(Step(**values))
        return steps

    def _observations(self, table: pa.Table) -> list[dict[str, ArmObservation]]:
        values = self._matrix(table, tuple(self.assignment.state.values()))
        names = list(self.assignment.state)
        found: list[dict[str, ArmObservation]] = [{} for _ in range(table.num_rows)]
        for arm, (joints, sensors) in self.assignment.arms.items():
            of_arm = [names.index(n) for n in state_names({arm: joints}, {arm: sensors})]
            for row, target in zip(values[:, of_arm].tolist(), found, strict=True):
                target[arm] = _arm(row, joints, sensors)
        return found

    def _matrix(self, table: pa.Table, values: Sequence[ColumnOf | float]) -> np.ndarray:
        features = {each.feature for each in values if isinstance(each, ColumnOf)}
        read = {name: vector(table, name) for name in features}
        columns = [
            read[each.feature][:, each.index]
            if isinstance(each, ColumnOf)
            else np.full(table.num_rows, each)
            for each in values
        ]
        return np.stack(columns, axis=1)

    def _intervention(self, mark: UUID, of_it: Sequence[RecordedStep]) -> InterventionEnded:
        first, last = of_it[0].step, of_it[-1].step
        return InterventionEnded(
            intervention_id=mark,
            episode_id=first.episode_id,
            operator=first.operator or LABELLER,
            device=LABELLER,
            reason="",
            first_index=first.index,
            last_index=last.index,
            correction_steps=sum(r.step.phase is Phase.CORRECTION for r in of_it),
            started_t_utc=first.t_utc,
            ended_t_utc=last.t_utc,
            ended_t_robot_ns=last.t_robot_ns,
        )


class _Kept:
    """What a dataset of robot-rl says of each step; in others a person drove all of them."""

    def __init__(self, table: pa.Table, episode_id: UUID, began: datetime) -> None:
        self._columns = {
            name: table[name].to_pylist()
            for name in (
                *layouts.ACTIONS,
                *(f"has_{name}" for name in layouts.ACTIONS),
                *(layouts.INTERVENTION, layouts.PHASE, layouts.SOURCE),
                *(layouts.TRUNCATED, layouts.SUCCESS),
            )
            if name in table.column_names
        }
        self._count = table.num_rows
        self._episode, self._began = episode_id, began
        self._ours = layouts.SOURCE in self._columns

    def flag(self, name: str) -> list[bool]:
        return [bool(each) for each in self._columns.get(name, [False] * self._count)]

    def succeeded(self, index: int) -> bool | None:
        """None where the dataset does not say, and before the first step."""
        column = self._columns.get(layouts.SUCCESS)
        return None if column is None or index < 0 else bool(column[index])

    def of_step(self, index: int, action: tuple[float, ...]) -> dict[str, Any]:
        """Fields of a Step."""
        if not self._ours:
            return {"source": Source.HUMAN, "human_action": action}
        given = {
            name: tuple(self._columns[name][index])
            for name in layouts.ACTIONS
            if self._columns[f"has_{name}"][index]
        }
        marks = self._columns[layouts.INTERVENTION]
        phase = self._columns[layouts.PHASE][index]
        first = index
        while first and marks[first - 1]:
            first -= 1
        mark = derived_id(self._began, f"{self._episode} takeover {first}")
        return {
            **given,
            "source": Source(self._columns[layouts.SOURCE][index]),
            "phase": Phase(phase) if phase else None,
            "intervention_id": mark if marks[index] else None,
        }


def derived_id(t_utc: datetime, text: str) -> UUID:
    """A UUIDv7 that the same text gives again."""
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:10])
    value = int(t_utc.timestamp() * 1000) << 80 | digest
    return UUID(int=value & ~(0xF << 76) & ~(0b11 << 62) | 0x7 << 76 | 0b10 << 62)


def _arm(row: Sequence[float], joints: int, sensors: Sequence[str]) -> ArmObservation:
    """From the values of `state_names`."""
    return ArmObservation(
        tcp_position_m=tuple(row[0:3]),
        tcp_quaternion_wxyz=tuple(row[3:7]),
        tcp_twist=tuple(row[7:13]),
        wrench=tuple(row[13:19]),
        gripper_m=row[19],
        q_rad=tuple(row[20 : 20 + joints]),
        dq_rad_s=tuple(row[20 + joints : 20 + 2 * joints]),
        sensors=dict(zip(sensors, row[20 + 2 * joints :], strict=True)),
    )
