"""A batch as a robot sent it, checked item by item before anything of it is stored."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from robot_rl.errors import BadInput, VersionMismatch
from robot_rl.schema.episode import RobotEvent
from robot_rl.schema.ingest import BatchHeader, SegmentRef
from robot_rl.schema.message import PROTOCOL_VERSION, TEXT_LIMIT, unstorable_text
from robot_rl.schema.segment import BadSegment, BadStep, check_steps, read_table

_INT64 = range(-(2**63), 2**63)


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
    """Steps of a batch whose bytes are what the header says."""

    ref: SegmentRef
    data: bytes = field(repr=False)
    table: pa.Table = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item and the sequence numbers of its rows."""

    content: Segment | RobotEvent
    first_sequence: int
    last_sequence: int

    def refused(self, sentence: str) -> BadItem:
        return BadItem(sentence, self.first_sequence, self.last_sequence)


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
            if isinstance(item, SegmentRef):
                content = _segment(item, files[item.part])
            else:
                content = item
                _check_event(item)
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
    for position, step in enumerate(check_steps(table)):
        if (step.episode_id, step.index) != (ref.episode_id, ref.first_index + position):
            raise BadStep(
                position,
                f"it holds step {step.index} of episode {step.episode_id} where its header says "
                f"step {ref.first_index + position}",
            )
        problem = _problem_in(step.model_dump())
        if problem:
            raise BadStep(position, problem)
    return Segment(ref=ref, data=data, table=table)


def _check_event(event: RobotEvent) -> None:
    """Raises Unstorable."""
    problem = _problem_in(event.model_dump())
    if problem:
        raise Unstorable(problem)


def _problem_in(content: Mapping[str, Any]) -> str:
    """What the database cannot hold of it, empty when it can hold everything."""
    for name, value in _values(content):
        if isinstance(value, str) and (problem := unstorable_text(value, TEXT_LIMIT)):
            return f"{name} {problem}"
        if isinstance(value, int) and value not in _INT64:
            return f"{name} is {value}, which does not fit into 64 bits"
    return ""


def _values(content: Any, name: str = "it") -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _values(value, str(key))
    elif isinstance(content, tuple | list):
        for value in content:
            yield from _values(value, name)
    else:
        yield name, content


def _name(item: SegmentRef | RobotEvent) -> str:
    if isinstance(item, SegmentRef):
        last = item.first_index + item.count - 1
        return f"steps {item.first_index} to {last} of episode {item.episode_id}"
    of = "" if item.episode_id is None else f" of episode {item.episode_id}"
    return f"the {item.kind}{of}"
