"""Whether bytes are a JPEG that everybody can decode, from its headers alone: microseconds, and no
memory for its pixels. Layout: ITU-T T.81, annex B.
"""

import struct

MAX_PICTURE_BYTES = 4 * 2**20
MAX_PICTURE_SIDE = 4096  # pixels: 48 MiB when decoded
_SIZED = (0xC0, 0xC1, 0xC2)  # start of a frame: baseline, extended, progressive
_OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_SCAN, _ALONE = 0xDA, (0x01, *range(0xD0, 0xD8))  # markers without a length
_END = b"\xff\xd9"


def problem_of_picture(jpeg: bytes) -> str:
    """Why it cannot be kept, as "is …" or "has …"; empty when it can."""
    if len(jpeg) > MAX_PICTURE_BYTES:
        return f"has {len(jpeg)} bytes, at most {MAX_PICTURE_BYTES} are kept"
    if not jpeg.startswith(b"\xff\xd8"):
        return "is no JPEG"
    try:
        size = _size(jpeg)
    except (struct.error, IndexError):
        return "is a JPEG that is cut off"
    if isinstance(size, str):
        return size
    width, height = size
    if not (1 <= width <= MAX_PICTURE_SIDE and 1 <= height <= MAX_PICTURE_SIDE):
        return f"has {width} × {height} pixels, at most {MAX_PICTURE_SIDE} × {MAX_PICTURE_SIDE}"
    if not jpeg.rstrip(b"\0").endswith(_END):  # some cameras fill up with zeros
        return "is a JPEG that is cut off"
    return ""


def _size(jpeg: bytes) -> tuple[int, int] | str:
    """(width, height), or why it cannot be kept. Raises struct.error or IndexError at its end."""
    at, size = 2, None
    while True:
        if jpeg[at] != 0xFF:
            return "is a damaged JPEG"
        while jpeg[at] == 0xFF:  # fill bytes
            at += 1
        marker = jpeg[at]
        at += 1
        if marker in _ALONE:
            continue
        if marker in _OTHER_FRAMES:
            return "is a JPEG of a kind that is not read: baseline and progressive are"
        if marker == _SCAN:
            return size or "is a JPEG without a size"
        (length,) = struct.unpack_from(">H", jpeg, at)
        if length < 2:
            return "is a damaged JPEG"
        if marker in _SIZED:
            bits, height, width, parts = struct.unpack_from(">BHHB", jpeg, at + 2)
            if bits != 8 or parts not in (1, 3):
                return f"has {parts} colours of {bits} bits: 1 or 3 of 8 bits are read"
            size = width, height
        at += length
