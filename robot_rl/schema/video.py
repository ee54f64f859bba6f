"""Binary video frames: a fixed header, the camera's name, then the JPEG as it was captured.

Layout, little-endian: magic u16 'RV' · version u8 · name length u8 · sequence u32 · capture i64 ns
(robot clock) · sent i64 ns (robot clock when the link sent it) · name (UTF-8) · JPEG. The other
way, the server says in text frames whether anybody watches.
"""

import struct
from dataclasses import dataclass
from typing import Literal

from robot_rl.errors import BadInput
from robot_rl.schema.message import Message

_HEADER = struct.Struct("<2sBBIqq")
_MAGIC, _VERSION = b"RV", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrame:
    camera: str
    sequence: int
    capture_ns: int
    sent_ns: int
    jpeg: bytes


class VideoWanted(Message):
    """Server → robot. Until it has heard one, a robot sends; without viewers it need not."""

    kind: Literal["video_wanted"] = "video_wanted"
    wanted: bool


class BadVideoFrame(BadInput):
    """The bytes are not a video frame."""


def encode_frame(frame: VideoFrame) -> bytes:
    name = frame.camera.encode()
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        len(name),
        frame.sequence & 0xFFFFFFFF,
        frame.capture_ns,
        frame.sent_ns,
    )
    return header + name + frame.jpeg


def decode_frame(data: bytes) -> VideoFrame:
    """Raises BadVideoFrame."""
    if len(data) < _HEADER.size:
        raise BadVideoFrame(f"{len(data)} bytes are too few for a video frame")
    magic, version, name_length, sequence, capture_ns, sent_ns = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _VERSION or len(data) < _HEADER.size + name_length:
        raise BadVideoFrame("not a video frame of this version")
    body = _HEADER.size + name_length
    return VideoFrame(
        camera=data[_HEADER.size : body].decode(),
        sequence=sequence,
        capture_ns=capture_ns,
        sent_ns=sent_ns,
        jpeg=data[body:],
    )
