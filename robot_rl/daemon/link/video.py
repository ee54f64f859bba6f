"""Video, robot → server: the newest frame of each camera, never a queue, while anybody watches."""

import asyncio
from concurrent.futures import Executor
from pathlib import Path

from websockets.asyncio.client import ClientConnection

from hardware.clock import Clock
from hardware.memory import Frames
from robot_rl.daemon.link.telemetry import open_cameras
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.schema.video import VideoFrame, VideoWanted, encode_frame

_WAIT_S = 0.25
_SHORTEST_S = 0.04  # lock-step can make far more frames than anybody looks at


class Video:
    """One task per camera; a socket that is slow makes it skip frames."""

    def __init__(self, settings: DaemonSettings, clock: Clock, pool: Executor) -> None:
        self._cameras = open_cameras(Path(settings.memory), settings)
        self._clock, self._pool = clock, pool

    async def session(self, socket: ClientConnection) -> None:
        """Send until the socket closes."""
        sending, wanted = asyncio.Lock(), asyncio.Event()
        wanted.set()
        streams = [
            asyncio.create_task(self._stream(socket, sending, wanted, name, frames))
            for name, frames in self._cameras.items()
        ]
        try:
            async for text in socket:
                if VideoWanted.model_validate_json(text).wanted:
                    wanted.set()
                else:
                    wanted.clear()
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    async def _stream(
        self,
        socket: ClientConnection,
        sending: asyncio.Lock,
        wanted: asyncio.Event,
        name: str,
        frames: Frames,
    ) -> None:
        loop = asyncio.get_running_loop()
        newest_ns = -1
        while True:
            await wanted.wait()
            found = await loop.run_in_executor(
                self._pool, frames.wait_captured, newest_ns + 1, _WAIT_S
            )
            if found is None or not wanted.is_set():
                continue
            number, newest_ns, jpeg = found
            frame = VideoFrame(
                camera=name,
                sequence=number,
                capture_ns=newest_ns,
                sent_ns=self._clock.now_ns(),
                jpeg=jpeg,
            )
            async with sending:
                await socket.send(encode_frame(frame))
            await asyncio.sleep(_SHORTEST_S)
