"""What every message and record has in common: frozen, nothing unknown, finite, UUIDv7 ids."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import uuid_utils
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PROTOCOL_VERSION = 7
"""Raised when a message changes in a way that an older peer would misread."""


TEXT_LIMIT = 4000
"""Characters of what people write and what a robot says of itself."""


def unstorable_text(text: str, limit: int) -> str:
    """Why a database cannot hold it, as "holds …"; empty when it can."""
    if len(text) > limit:
        return f"has {len(text)} characters, at most {limit} are kept"
    return "holds a NUL character, which cannot be kept" if "\0" in text else ""


def _storable(text: str) -> str:
    if problem := unstorable_text(text, TEXT_LIMIT):
        raise ValueError(f"the text {problem}")
    return text


type Text = Annotated[str, Field(max_length=TEXT_LIMIT), AfterValidator(_storable)]
"""What a person wrote, checked where it comes in: what is recorded can then also be stored."""
type Name = Annotated[Text, Field(max_length=200)]
"""A name, a class or a reason: one line."""
type Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""A number that the database holds."""
type Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
type CameraName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""It becomes a part of a column's name, of a path and of an address."""
MAX_CAMERAS = 16
"""Of one robot."""
MAX_JOINTS = 64
"""Of one arm."""


def storable(text: str) -> str:
    """As much of what a program says as is kept: its words are no reason to lose the event."""
    return text.replace("\0", "")[:TEXT_LIMIT]


class Message(BaseModel):
    """Base of everything that leaves a process."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def new_id() -> UUID:
    """A UUIDv7: sorts by the time it was made. Made in Python, so that older Postgres servers work
    too.
    """
    return UUID(bytes=uuid_utils.uuid7().bytes)


def utc_now() -> datetime:
    """The wall clock, for records only; never for durations."""
    return datetime.now(UTC)


type Vector3 = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
type Quaternion = Annotated[tuple[float, ...], Field(min_length=4, max_length=4)]
type Vector6 = Annotated[tuple[float, ...], Field(min_length=6, max_length=6)]

MAX_ACTION = 64
"""Columns that an action may have: two arms of 16 joints with their grippers fit."""
type Action = Annotated[tuple[float, ...], Field(min_length=1, max_length=MAX_ACTION)]
"""Normalised, in the columns of the task's action space (robot_rl.config.action). Gripper: −1
close, 0 stay, +1 open.
"""
