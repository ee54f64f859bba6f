"""A batch as a robot sent it, checked item by item before anything of it is stored."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from robot_rl.errors import BadInput, VersionMismatch
from robot_rl.schema.episode import RobotEvent
from robot_rl.schema.ingest import BatchHeader, SegmentRef
from robot_rl.schema.message import PROTOCOL_VERSION
from robot_rl.schema.segment import BadSegment, BadStep, read_table
from robot_rl.schema.segment_check import action_columns, check_steps, state_shape
from robot_rl.schema.step import Step
from robot_rl.server.problems import bad_field, first_problem


class BadBatch(BadInput):
    """A batch that cannot be read as it is, through no fault of a single item."""


class Unstorable(BadInput):
    """An item that will never be stored: one plain sentence."""


class BadItem(BadInput):
    """The item of a batch that will never be stored, by the sequence numbers of its rows.

    A robot sets these rows aside and goes on with what follows (schema.ingest.ItemRefused).
    """

    def __init__(self, sentence: str, first_sequence: int, last_sequence: int) -> None:
        super().__init__(sentence)
        self.facts = {"first_sequence": first_sequence, "last_sequence": last_sequence}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Steps of a batch whose bytes are what the header says.

    times_ns: of each step; state_shape, action_columns: of all, where there is an action.
    """

    ref: SegmentRef
    data: bytes = field(repr=False)
    table: pa.Table = field(repr=False)
    times_ns: tuple[int, ...]
    state_shape: str
    action_columns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item and the sequence numbers of its rows."""

    content: Segment | RobotEvent
    first_sequence: int
    last_sequence: int

    def refused(self, sentence: str) -> BadItem:
        return BadItem(sentence, self.first_sequence, self.last_sequence)


def read_header(text: str) -> BatchHeader:
    """Raises BadItem where items only are at fault, VersionMismatch or BadInput."""
    try:
        return BatchHeader.model_validate_json(text)
    except ValidationError as error:
        outline = _outline(text)
        if outline is not None:
            check_protocol(outline.protocol)  # of another one: it is right that it looks otherwise
            _refuse_item(outline, error.errors(include_url=False, include_input=False))
        raise bad_field("header", error) from error


class _ItemOutline(BaseModel):
    """How many rows an item stands for, whatever else it holds."""

    model_config = ConfigDict(extra="allow")

    kind: str = "item"
    count: int = 1

    @property
    def rows(self) -> int:
        return self.count if self.kind == "segment" else 1


class _Outline(BaseModel):
    """Of a header, what it takes to say which of its rows are bad."""

    protocol: int
    first_sequence: int
    items: tuple[_ItemOutline, ...]


def _outline(text: str) -> _Outline | None:
    """None for what is no header at all."""
    try:
        return _Outline.model_validate_json(text)
    except ValidationError:
        return None


def _refuse_item(outline: _Outline, errors: list[ErrorDetails]) -> None:
    """Raises BadItem for the first bad item, where nothing else is bad."""
    for error in errors:
        match error["loc"]:
            case ("items", int(position), *_):
                before = outline.items[:position]
                item = outline.items[position]
            case _:
                return
        first = outline.first_sequence + sum(each.rows for each in before)
        where = [part for part in error["loc"][2:] if part != item.kind]
        sentence = first_problem([{**error, "loc": where or ("its kind",)}])
        raise BadItem(f"the {item.kind[:80]}: {sentence}", first, first + item.rows - 1)


def check_batch(header: BatchHeader, files: Mapping[str, bytes]) -> tuple[Item, ...]:
    """The items in recorded order. Raises BadBatch, BadItem or VersionMismatch."""
    check_protocol(header.protocol)
    counts = [item.count if isinstance(item, SegmentRef) else 1 for item in header.items]
    rows = header.last_sequence - header.first_sequence + 1
    if rows != sum(counts) or not counts:
        raise BadBatch(
            f"the batch counts sequences {header.first_sequence} to {header.last_sequence} and "
            f"holds {sum(counts)} rows"
        )
    _check_parts(header, files)
    items: list[Item] = []
    first = header.first_sequence
    for item, count in zip(header.items, counts, strict=True):
        last = first + count - 1
        try:
            content = _segment(item, files[item.part]) if isinstance(item, SegmentRef) else item
        except BadStep as error:
            at = first + error.position
            raise BadItem(f"{_name(item)}: {error}", at, at) from error
        except (Unstorable, BadSegment) as error:
            raise BadItem(f"{_name(item)}: {error}", first, last) from error
        items.append(Item(content=content, first_sequence=first, last_sequence=last))
        first = last + 1
    return tuple(items)


def check_protocol(protocol: int) -> None:
    """Raises VersionMismatch."""
    if protocol != PROTOCOL_VERSION:
        raise VersionMismatch(
            f"the robot speaks protocol {protocol} and this server {PROTOCOL_VERSION}: "
            "install the same version of robot-rl on both"
        )


def _check_parts(header: BatchHeader, files: Mapping[str, bytes]) -> None:
    """That every part is there once and whole: what was damaged on the way is sent again."""
    named: set[str] = set()
    for item in header.items:
        if not isinstance(item, SegmentRef):
            continue
        data = files.get(item.part)
        if data is None:
            raise BadBatch(f"the batch names a part {item.part!r} and does not hold it")
        if item.part in named:
            raise BadBatch(f"the batch names the part {item.part!r} twice")
        named.add(item.part)
        found = hashlib.sha256(data).hexdigest()
        if found != item.sha256:
            raise BadBatch(
                f"part {item.part!r} has sha256 {found[:12]}… and the header says "
                f"{item.sha256[:12]}…: it was damaged on the way, send it again"
            )
    unused = files.keys() - named
    if unused:
        raise BadBatch(f"the batch holds a part {min(unused)!r} that no item names")


def _segment(ref: SegmentRef, data: bytes) -> Segment:
    """Raises BadSegment, BadStep or Unstorable."""
    table = read_table(data)
    if table.num_rows != ref.count:
        raise Unstorable(f"it holds {table.num_rows} steps and its header says {ref.count}")
    steps: list[Step] = []
    columns: int | None = None
    for position, step in enumerate(check_steps(table)):
        if (step.episode_id, step.index) != (ref.episode_id, ref.first_index + position):
            raise BadStep(
                position,
                f"it holds step {step.index} of episode {step.episode_id} where its header says "
                f"step {ref.first_index + position}",
            )
        steps.append(step)
        given = action_columns(step)
        if None not in (columns, given) and given != columns:
            raise BadStep(
                position,
                f"step {step.index}: its actions have {given} columns, and those before {columns}",
            )
        columns = given or columns
    return Segment(
        ref=ref,
        data=data,
        table=table,
        times_ns=tuple(step.t_robot_ns for step in steps),
        state_shape=state_shape(steps[0].arms),
        action_columns=columns,
    )


def _name(item: SegmentRef | RobotEvent) -> str:
    if isinstance(item, SegmentRef):
        last = item.first_index + item.count - 1
        return f"steps {item.first_index} to {last} of episode {item.episode_id}"
    of = "" if item.episode_id is None else f" of episode {item.episode_id}"
    return f"the {item.kind}{of}"
