"""Messages as MessagePack, which holds plain values and no code."""

from typing import Any

import msgpack
from pydantic import TypeAdapter, ValidationError

from robot_rl.schema.message import Message


class BadMessage(ValueError):
    """What a peer sent is none of the messages that are known: the text says why."""


def pack(message: Message) -> bytes:
    return pack_plain(message.model_dump())


def pack_plain(value: object) -> bytes:
    """Ids become text."""
    packed = msgpack.packb(value, default=str)
    assert packed is not None  # it is without autoreset only
    return packed


def unpack_plain(data: bytes | str) -> object:
    """Numbers, text, bytes, lists and maps. No part is larger than the whole. Raises BadMessage."""
    if isinstance(data, str):
        raise BadMessage("it is text, and not MessagePack")
    size = len(data)
    try:
        return msgpack.unpackb(
            data,
            strict_map_key=False,  # openpi's keys are bytes
            max_bin_len=size,
            max_str_len=size,
            max_array_len=size,
            max_map_len=size,
            max_ext_len=0,
        )
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        reason = str(error) or type(error).__name__
        raise BadMessage(f"it is not MessagePack ({reason})") from error


def unpack[M](data: bytes | str, known: TypeAdapter[M]) -> M:
    """Raises BadMessage."""
    return checked(unpack_plain(data), known)


def checked[M](value: object, known: TypeAdapter[M]) -> M:
    """Raises BadMessage."""
    try:
        return known.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadMessage(f"{where}: {first['msg']}" if where else str(first["msg"])) from error


def protocol_of(value: object) -> int | None:
    """The version that the sender of a first message speaks, whatever else is in it."""
    fields: dict[Any, Any] = value if isinstance(value, dict) else {}
    found = fields.get("protocol")
    return found if isinstance(found, int) else None
