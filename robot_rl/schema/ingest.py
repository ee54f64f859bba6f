"""The durable path, robot → server: numbered batches, acknowledged, idempotent.

A batch is one multipart/form-data POST to `/api/ingest`: a field `header` (JSON of `BatchHeader`)
and, for every `SegmentRef`, one file part of that name (Arrow IPC, robot_rl.schema.segment).
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.episode import RobotEvent
from robot_rl.schema.message import PROTOCOL_VERSION, Count, Message, Name, Text

type Sequence = Annotated[int, Field(ge=1, le=2**63 - 1)]


class SegmentRef(Message):
    """A segment in this batch; `part` names the file part that holds it."""

    kind: Literal["segment"] = "segment"
    part: Name
    episode_id: UUID
    first_index: Count
    count: Annotated[int, Field(ge=1, le=64)]
    sha256: Name


type BatchItem = Annotated[SegmentRef | RobotEvent, Field(discriminator="kind")]


class BatchHeader(Message):
    """`sequence` counts a robot's outbox rows since `boot_epoch` (a new one whenever the outbox is
    created).

    `ahead`: rows that were acknowledged once and are sent again before their turn, because the
    running episode needs them; the server's cursor is neither asked nor moved.
    """

    protocol: int = PROTOCOL_VERSION
    robot: Name
    boot_epoch: UUID
    first_sequence: Sequence
    last_sequence: Sequence
    sent_t_utc: datetime
    # Left out where it is not, so that a server of before takes it.
    ahead: Annotated[bool, Field(exclude_if=lambda ahead: not ahead)] = False
    items: tuple[BatchItem, ...]  # in recorded order


class ItemRefused(Message):
    """The answer 422 when one item of a batch will never be stored, and the others would be.

    The robot keeps the rows `first_sequence` to `last_sequence` aside and sends what follows.
    """

    detail: str  # one plain sentence that names the item
    first_sequence: Sequence
    last_sequence: Sequence


class BatchAck(Message):
    """Everything up to `last_sequence` is stored for good; the robot may delete it."""

    boot_epoch: UUID
    last_sequence: Count


EPOCHS_ASKED = 1000
"""At once, at most."""


class CursorsAsked(Message):
    """What a robot asks before it sends: does the server still have what it acknowledged?"""

    robot: Name
    boot_epochs: Annotated[tuple[UUID, ...], Field(max_length=EPOCHS_ASKED)]


class ServerCursors(Message):
    """`server_id`: of its database, for ever; `generation`: another one after each restore.

    `cursors`: of those epochs that were asked for and of which anything is stored.
    """

    server_id: UUID
    generation: UUID
    cursors: tuple[BatchAck, ...]


class RowsLost(Message):
    """Rows up to `last_sequence`, which this server lacks and the robot cannot send again.

    The server notes them as lost and goes on behind them.
    """

    robot: Name
    boot_epoch: UUID
    last_sequence: Sequence
    reason: Text
