"""Camera pictures as video files, a frame a step, and back.

Frame i of a file is the picture of step i, at i / rate seconds.
"""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import simplejpeg
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from robot_rl.errors import BadInput

type Image = NDArray[np.uint8]
"""(height, width, 3) RGB."""
type Codec = Literal["h264", "av1"]

KEYFRAME_EVERY = 2
"""Frames; as LeRobot has it, so that a random one is read fast."""
_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    # Without B-frames the order of the packets is that of the frames.
    "h264": ("libx264", {"crf": "18", "preset": "medium", "bf": "0"}),
    "av1": ("libsvtav1", {"crf": "24", "preset": "10"}),
}
_AV1_LEAST_PX = 64  # SVT-AV1
_JPEG_QUALITY = 95


class BadVideo(BadInput):
    """A picture or a video file that cannot be read or written: one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSize:
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width} × {self.height}"


def jpeg_size(jpeg: bytes) -> PictureSize:
    """Raises BadVideo."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError as error:
        raise BadVideo(f"it is not a readable JPEG: {error}") from error
    return PictureSize(height=int(height), width=int(width))


def decode_jpeg(jpeg: bytes) -> Image:
    """Raises BadVideo."""
    try:
        return simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
    except ValueError as error:
        raise BadVideo(f"it is not a readable JPEG: {error}") from error


def encode_jpeg(image: Image) -> bytes:
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), _JPEG_QUALITY, "RGB")


def check_codec(codec: Codec, size: PictureSize) -> None:
    """Raises BadVideo."""
    if codec == "av1" and (
        size.height % 2 or size.width % 2 or min(size.height, size.width) < _AV1_LEAST_PX
    ):
        raise BadVideo(
            f"pictures of {size} cannot be written as AV1, which takes even sizes from "
            f"{_AV1_LEAST_PX} pixels on: use --codec h264"
        )


def encode(frames: Iterable[Image], size: PictureSize, rate: int, codec: Codec) -> bytes:
    """An MP4 file of at least one frame. Raises BadVideo."""
    check_codec(codec, size)
    os.environ.setdefault("SVT_LOG", "1")  # of SVT-AV1, else it tells its settings every time
    encoder, options = _ENCODERS[codec]
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream(encoder, rate=rate, options=options)
        assert isinstance(stream, VideoStream)  # what PyAV makes of such a codec
        stream.height, stream.width = size.height, size.width
        # Half the colours need an even size.
        even = size.height % 2 == 0 and size.width % 2 == 0
        stream.pix_fmt = pixels = "yuv420p" if even else "yuv444p"
        stream.codec_context.gop_size = KEYFRAME_EVERY
        stream.codec_context.time_base = Fraction(1, rate)
        with ordinary_scheduling():
            stream.codec_context.open()
        for number, image in enumerate(frames):
            if image.shape != (size.height, size.width, 3):
                found = PictureSize(height=image.shape[0], width=image.shape[1])
                raise BadVideo(f"picture {number} is {found} and the ones before are {size}")
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return sink.getvalue()


@contextmanager
def ordinary_scheduling() -> Iterator[None]:
    """Run as root, SVT-AV1 puts its threads, and the one that opens it, under SCHED_FIFO at 99,
    above a robot's control: every thread of this process gets what this one had.
    """
    before, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in os.listdir("/proc/self/task"):
            with suppress(ProcessLookupError):  # it has ended
                if os.sched_getscheduler(int(thread)) != before:
                    os.sched_setscheduler(int(thread), before, parameters)


def decode(path: Path, start_s: float, count: int, rate: float) -> Iterator[Image]:
    """`count` frames, 1 / rate seconds apart, of which the first is at `start_s`.

    Raises BadVideo where the file is damaged, or has no frame at one of these times.
    """
    wanted = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.time_base is None:
                raise BadVideo(f"{path}: its video has no time base")
            at = max(0, int(start_s / stream.time_base) - 1)
            container.seek(at, stream=stream, backward=True)
            for frame in container.decode(stream):
                if wanted == count:
                    return
                t_s, wanted_s = _time_s(frame), start_s + wanted / rate
                if t_s < wanted_s - 0.5 / rate:
                    continue  # between the key frame and the first
                if t_s > wanted_s + 0.5 / rate:
                    raise BadVideo(
                        f"{path}: it has no frame at {wanted_s:g} s, and the next is at {t_s:g} s: "
                        "copy the file again, or leave its episodes out"
                    )
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                wanted += 1
    except (FFmpegError, IndexError) as error:
        raise BadVideo(f"{path}: it is not a readable video: {error}") from error
    if wanted < count:
        raise BadVideo(
            f"{path}: it ends after {wanted} of the {count} frames from {start_s:g} s on"
        )


def _time_s(frame: Any) -> float:
    return float(frame.pts * frame.time_base)


def decode_picture(data: bytes) -> Image:
    """Of a JPEG, PNG or another single picture. Raises BadVideo."""
    found: list[av.VideoFrame] = []
    try:
        with av.open(io.BytesIO(data), "r") as container:
            found += islice(container.decode(video=0), 1)
    except (FFmpegError, IndexError) as error:
        raise BadVideo(f"it is not a readable picture: {error}") from error
    if not found:
        raise BadVideo("it is not a readable picture: it holds none")
    return np.asarray(found[0].to_ndarray(format="rgb24"), np.uint8)
