"""Segments: consecutive steps of one episode as one Arrow IPC file, images inside, that any Arrow
tool reads.

Columns: one per field of `Step`, typed; nested models as structs; what an arm measured in `arm`, or
in `arm_<name>` for each of several; the JPEG bytes in `frame_<camera>`.
"""
# pyarrow ships no type information, so strict pyright knows nothing about what it returns.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

import io
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from robot_rl.errors import BadInput
from robot_rl.schema.arrow_file import may_expand
from robot_rl.schema.step import ArmObservation, Step
from robot_rl.schema.transition import is_trainable
from safety.vocabulary import ONLY_ARM

FORMAT_VERSION = "1"

_F = pa.float64()
_VECTOR = pa.list_(_F)
ARM = [
    ("tcp_position_m", _VECTOR),
    ("tcp_quaternion_wxyz", _VECTOR),
    ("tcp_twist", _VECTOR),
    ("wrench", _VECTOR),
    ("gripper_m", _F),
    ("q_rad", _VECTOR),
    ("dq_rad_s", _VECTOR),
]
_EVIDENCE = pa.struct([("simulator_success", pa.bool_()), ("classifier_probability", _F)])
STAMP = pa.struct([("number", pa.int64()), ("capture_ns", pa.int64())])
COLUMNS: dict[str, pa.DataType] = {
    "episode_id": pa.string(),
    "index": pa.int64(),
    "t_robot_ns": pa.int64(),
    "t_utc": pa.timestamp("us", tz="UTC"),
    "proposed_action": _VECTOR,
    "human_action": _VECTOR,
    "executed_action": _VECTOR,
    "commanded_action": _VECTOR,
    "source": pa.string(),
    "intervention_id": pa.string(),
    "phase": pa.string(),
    "evidence": _EVIDENCE,
    "terminated": pa.bool_(),
    "truncated": pa.bool_(),
    "risk": _F,
    "risk_taken": _F,
    "risk_threshold": _F,
    "risk_calibrated": _F,
    "risk_choice": pa.string(),
    "limits": pa.int64(),
    "limit_profiles": pa.list_(pa.string()),
    "reject_reason": pa.string(),
    "policy_version": pa.int64(),
    "chunk_id": pa.int64(),
    "chunk_index": pa.int64(),
    "inference_s": _F,
    "operator": pa.string(),
    "stale_cameras": pa.list_(pa.string()),
}


_ARMS_AT = 4
"""Where the arms' columns stand, as they did when every cell had one."""


class BadSegment(BadInput):
    """The bytes are not a segment of this format."""


class BadStep(BadSegment):
    """The step at `position` of the segment, counted from 0, cannot be used."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(problem)
        self.position = position


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStep:
    """A step with its images: camera name → JPEG bytes."""

    step: Step
    images: Mapping[str, bytes]


def encode_segment(records: Sequence[RecordedStep]) -> bytes:
    """One Arrow IPC file. Raises ValueError when the records are empty or not consecutive in one
    episode.
    """
    if not records:
        raise ValueError("a segment needs at least one step")
    first = records[0].step
    for offset, record in enumerate(records):
        arms = record.step.arms
        if arms.keys() != first.arms.keys():
            raise ValueError("the steps of a segment must be of the same arms")
        if any(arm.sensors.keys() != first.arms[n].sensors.keys() for n, arm in arms.items()):
            raise ValueError("the steps of a segment must have the same sensors")
        if record.step.episode_id != first.episode_id or record.step.index != first.index + offset:
            raise ValueError(
                f"a segment holds consecutive steps of one episode; step {record.step.index} of "
                f"{record.step.episode_id} is not step {first.index + offset} of {first.episode_id}"
            )
    cameras = sorted({camera for record in records for camera in record.images})
    rows: list[dict[str, Any]] = []
    for record in records:
        row = record.step.model_dump()
        row["episode_id"] = str(row["episode_id"])
        if row["intervention_id"] is not None:
            row["intervention_id"] = str(row["intervention_id"])
        for arm, measured in row.pop("arms").items():
            row[arm_column(arm)] = measured
        stamps = row.pop("frames")
        for camera in cameras:
            row[f"stamp_{camera}"] = stamps.get(camera)
            row[f"frame_{camera}"] = record.images.get(camera)
        rows.append(row)
    fields = [pa.field(name, kind) for name, kind in COLUMNS.items()]
    fields[_ARMS_AT:_ARMS_AT] = [
        pa.field(arm_column(arm), _arm_type(seen)) for arm, seen in first.arms.items()
    ]
    for camera in cameras:
        fields += [pa.field(f"stamp_{camera}", STAMP), pa.field(f"frame_{camera}", pa.binary())]
    schema = pa.schema(fields, metadata={"robot_rl.segment": FORMAT_VERSION})
    table = pa.Table.from_pylist(rows, schema=schema)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_table(data: bytes) -> pa.Table:
    """The segment as an Arrow table. Raises BadSegment."""
    try:
        reader = pa.ipc.open_file(pa.BufferReader(data))
        if may_expand(data):
            raise BadSegment("it is compressed; a segment is not")
        table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, struct.error) as error:
        raise BadSegment(f"not an Arrow IPC file: {error}") from error
    version = (table.schema.metadata or {}).get(b"robot_rl.segment", b"").decode()
    if version != FORMAT_VERSION:
        raise BadSegment(f"segment format {version or 'unknown'!r}, {FORMAT_VERSION!r} expected")
    return table


def cameras_of(table: pa.Table) -> list[str]:
    """Names of the cameras whose images a segment holds."""
    names: list[str] = table.schema.names
    return [name.removeprefix("frame_") for name in names if name.startswith("frame_")]


def _arm_type(seen: ArmObservation) -> pa.DataType:
    """What an arm measured. Its sensors have names of their own."""
    sensors = [("sensors", pa.struct([(name, _F) for name in seen.sensors]))]
    return pa.struct([*ARM, *(sensors if seen.sensors else [])])


def arm_column(arm: str) -> str:
    return ONLY_ARM if arm == ONLY_ARM else f"{ONLY_ARM}_{arm}"


def arms_of(table: pa.Table) -> list[str]:
    names: list[str] = table.schema.names
    several = [name.removeprefix("arm_") for name in names if name.startswith("arm_")]
    return [ONLY_ARM, *several] if ONLY_ARM in names else several


def count_trainable(table: pa.Table, cameras: Iterable[str]) -> int:
    """How many steps can be trained on (robot_rl.schema.transition) where the task's observation
    has these `cameras`.
    """
    wanted, held = tuple(cameras), cameras_of(table)
    pictures = [
        [camera for camera, present in zip(held, row, strict=True) if present]
        for row in zip(
            *(table[f"frame_{camera}"].is_valid().to_pylist() for camera in held), strict=True
        )
    ] or [[]] * table.num_rows
    return sum(
        is_trainable(source, acted=acted, pictures=seen, cameras=wanted)
        for source, acted, seen in zip(
            table["source"].to_pylist(),
            table["executed_action"].is_valid().to_pylist(),
            pictures,
            strict=True,
        )
    )


def decode_segment(data: bytes, *, images: bool = True) -> list[RecordedStep]:
    """The steps of a segment, in order; `images` False leaves the JPEGs out. Raises BadSegment."""
    table = read_table(data)
    if not images:
        table = without_images(table)
    return list(decode_rows(table))


def without_images(table: pa.Table) -> pa.Table:
    return table.drop_columns([f"frame_{camera}" for camera in cameras_of(table)])


def decode_rows(table: pa.Table) -> Iterator[RecordedStep]:
    """Images where the table has them."""
    cameras = [
        name.removeprefix("stamp_") for name in table.schema.names if name.startswith("stamp_")
    ]
    arms = arms_of(table)
    for position, row in enumerate(table.to_pylist()):
        jpegs: dict[str, bytes] = {}
        stamps: dict[str, Any] = {}
        for camera in cameras:
            jpeg = row.pop(f"frame_{camera}", None)
            if jpeg is not None:
                jpegs[camera] = jpeg
            stamp = row.pop(f"stamp_{camera}")
            if stamp is not None:
                stamps[camera] = stamp
        measured = {arm: row.pop(arm_column(arm)) for arm in arms}
        try:
            step = Step.model_validate({**row, "arms": measured, "frames": stamps})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadStep(position, f"step {row.get('index')}: {where}: {first['msg']}") from error
        yield RecordedStep(step=step, images=jpegs)
