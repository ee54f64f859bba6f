"""What presses on a server while somebody stops a robot: `python -m benchmarks.stop_load URL …`.

A process of its own, at a lower priority, because in a lab it is other machines that do this.
"""

import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

BODY_BYTES = 50 * 2**20
BODIES, SOCKETS, READERS, HALF_OPEN = 6, 200, 12, 1000
_PIECE = b"x" * 2**16
_PAUSE_S = 0.2
_NICE = 10
_DESCRIPTORS = 4096


class Load:
    """Every kind begins again whenever the server ends it."""

    def __init__(self, url: str, robot: str, person: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._live = url.replace("http", "ws", 1) + "/api/live/robots/panda"
        self._robot, self._person = robot, person

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(HALF_OPEN):
                group.create_task(_again(self._half_open, number / HALF_OPEN))
            for number in range(BODIES):
                group.create_task(_again(self._body, number * _PAUSE_S))
            for number in range(READERS):
                group.create_task(_again(self._read, number * 0.01))
            for number in range(SOCKETS):
                group.create_task(_again(self._watch, number * 0.01))

    async def _half_open(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(b"POST /api/ingest HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-")
            await reader.read()
        finally:
            writer.close()

    async def _body(self) -> None:
        """As a robot, whose limit is higher, as a person, and as a stranger in turn."""
        for path, secret in (
            ("/api/ingest", self._robot),
            ("/api/learner/progress", self._person),
            ("/api/sign-in", ""),
        ):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            try:
                kind = "multipart/form-data; boundary=b" if "ingest" in path else "application/json"
                writer.write(self._head("POST", path, secret, kind))
                writer.write(b'--b\r\ncontent-disposition: form-data; name="header"\r\n\r\n')
                for _ in range(BODY_BYTES // len(_PIECE)):
                    writer.write(_PIECE)
                    await writer.drain()
                await asyncio.wait_for(reader.read(4096), 10)
            finally:
                writer.close()

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(self._head("GET", "/api/metrics", self._person) + b"\r\n")
            while await reader.read(2**16):
                pass
        finally:
            writer.close()

    async def _watch(self) -> None:
        headers = {"Authorization": f"Bearer {self._person}"}
        async with connect(self._live, additional_headers=headers, compression=None) as socket:
            async for _ in socket:
                pass

    def _head(self, method: str, path: str, secret: str, kind: str = "") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        if secret:
            lines.append(f"Authorization: Bearer {secret}")
        if kind:
            lines += [f"Content-Type: {kind}", f"Content-Length: {BODY_BYTES}", "", ""]
        else:
            lines += ["Connection: close", ""]
        return "\r\n".join(lines).encode()


async def _again(work: Callable[[], Awaitable[None]], after_s: float) -> None:
    await asyncio.sleep(after_s)
    while True:
        # The server refuses, closes and does not answer in time: that is what it is asked to do.
        with suppress(OSError, WebSocketException, TimeoutError, asyncio.IncompleteReadError):
            await work()
        await asyncio.sleep(_PAUSE_S)


if __name__ == "__main__":
    os.nice(_NICE)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, hard), hard))
    asyncio.run(Load(*sys.argv[1:4]).run())
