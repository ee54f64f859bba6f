"""Whether decoding an Arrow IPC file may take far more memory than the file has bytes.

A compressed file of a few kilobytes may decode to gigabytes, and pyarrow offers no bound; what
robot-rl writes is never compressed. It is read from the file's own tables, undecoded. Layout:
https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format (File.fbs, Message.fbs) and
https://flatbuffers.dev/internals.
"""

import struct
from collections.abc import Iterator

_TAIL_BYTES = 10  # length of the footer i32, then "ARROW1"
_BLOCK_BYTES = 24  # offset i64, metadata length i32, padding, body length i64
_CONTINUATION = 0xFFFFFFFF  # before the length of a message
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3  # numbers of fields
_MESSAGE_HEADER = 2
_BATCH_COMPRESSION = 3


def may_expand(data: bytes) -> bool:
    """Raises struct.error where the tables lead out of the file."""
    tail = len(data) - _TAIL_BYTES
    footer = _target(data, tail - _u32(data, tail))
    if any(True for _ in _blocks(data, footer, _FOOTER_DICTIONARIES)):
        return True
    return any(
        _field(data, _batch(data, start), _BATCH_COMPRESSION) is not None
        for start in _blocks(data, footer, _FOOTER_BATCHES)
    )


def _blocks(data: bytes, footer: int, number: int) -> Iterator[int]:
    """Where the messages of a vector of blocks start."""
    at = _field(data, footer, number)
    if at is None:
        return
    vector = _target(data, at)
    for position in range(_u32(data, vector)):
        yield struct.unpack_from("<q", data, vector + 4 + _BLOCK_BYTES * position)[0]


def _batch(data: bytes, start: int) -> int:
    """The header of the message that starts there."""
    framing = 8 if _u32(data, start) == _CONTINUATION else 4
    header = _field(data, _target(data, start + framing), _MESSAGE_HEADER)
    if header is None:
        raise struct.error("a message without a header")
    return _target(data, header)


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where field `number` of a table lies; None when it is absent."""
    names = table - struct.unpack_from("<i", data, table)[0]
    entry = 4 + 2 * number
    if entry >= struct.unpack_from("<H", data, names)[0]:
        return None
    offset = struct.unpack_from("<H", data, names + entry)[0]
    return table + offset if offset else None


def _target(data: bytes, at: int) -> int:
    return at + _u32(data, at)


def _u32(data: bytes, at: int) -> int:
    return struct.unpack_from("<I", data, at)[0]
