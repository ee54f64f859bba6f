"""Video at the link: what is sent, and when nobody watches."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hardware.camera import open_frames
from hardware.clock import MonotonicClock
from robot_rl.daemon.link.video import Video
from robot_rl.schema.video import VideoWanted, decode_frame


class Socket:
    """The server's end: what it says, and the frames that reach it."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[VideoWanted | None] = asyncio.Queue()
        self.got: asyncio.Queue[int] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (message := await self.says.get()) is not None:
            yield message.model_dump_json()

    async def send(self, data: bytes) -> None:
        self.got.put_nowait(decode_frame(data).sequence)


def test_without_viewers_no_frame_leaves_and_then_the_newest_does(tmp_path: Path) -> None:
    frames = open_frames(tmp_path, "front")
    settings: Any = SimpleNamespace(
        memory=tmp_path, cell=SimpleNamespace(cameras={"front": object()})
    )

    def capture(number: int) -> None:
        frames.write(b"jpeg", capture_ns=number, width=1, height=1)

    async def run() -> None:
        socket = Socket()
        with ThreadPoolExecutor(2) as pool:
            video = Video(settings, MonotonicClock(), pool)
            socket.says.put_nowait(VideoWanted(wanted=False))
            session = asyncio.create_task(video.session(cast(Any, socket)))
            for number in (1, 2, 3):
                await asyncio.sleep(0)
                capture(number)
            socket.says.put_nowait(VideoWanted(wanted=True))
            assert await asyncio.wait_for(socket.got.get(), 10.0) == 3
            capture(4)
            assert await asyncio.wait_for(socket.got.get(), 10.0) == 4
            socket.says.put_nowait(None)  # it closes
            await asyncio.wait_for(session, 10.0)

    asyncio.run(run())
