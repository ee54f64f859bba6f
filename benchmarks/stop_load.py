"""What presses on a server while somebody stops a robot.

`python -m benchmarks.stop_load flood|use URL ROBOT_TOKEN PERSON_TOKEN`

Processes of their own, at a lower priority, because in a lab it is other machines that do this.
"""

import asyncio
import json
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

BODY_BYTES = 50 * 2**20
BODIES, SOCKETS, READERS, HALF_OPEN = 6, 200, 12, 1000
_PIECE = b"x" * 2**16
_PART = b'--b\r\ncontent-disposition: form-data; name="x"; filename="x"\r\n\r\n'
_PAUSE_S = 0.2
_NICE = 10
_DESCRIPTORS = 4096
# What counts as having pressed, and how many do so at once.
KINDS = {
    "half-open connections": HALF_OPEN,
    "bodies of 50 MB taken whole": BODIES,
    "bodies of 50 MB refused": BODIES,
    "heavy answers read": READERS,
    "live sockets that heard the robot": SOCKETS,
}


class Load:
    """Every kind begins again whenever the server ends it. `done` counts what came about of it."""

    def __init__(self, url: str, robot: str, person: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._live = url.replace("http", "ws", 1) + "/api/live/robots/panda"
        self._robot, self._person = robot, person
        self.done = Counter[str](dict.fromkeys(KINDS, 0))

    async def flood(self) -> None:
        """A process of its own: so many would hold up what the others have begun."""
        async with asyncio.TaskGroup() as group:
            for number in range(HALF_OPEN):
                group.create_task(_again(self._half_open, number / HALF_OPEN))

    async def use(self) -> None:
        async with asyncio.TaskGroup() as group:
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
            await writer.drain()
            self.done["half-open connections"] += 1
            await reader.read()
        finally:
            writer.close()

    async def _body(self) -> None:
        """As a robot, of whom it is taken, as a person, and as a stranger in turn."""
        for path, secret in (
            ("/api/ingest", self._robot),
            ("/api/learner/progress", self._person),
            ("/api/sign-in", ""),
        ):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            try:
                kind = "multipart/form-data; boundary=b" if "ingest" in path else "application/json"
                writer.write(self._head("POST", path, secret, kind))
                writer.write(_PART)
                answer = asyncio.create_task(reader.read(4096))
                with suppress(ConnectionError):
                    for sent in range(len(_PART), BODY_BYTES, len(_PIECE)):
                        if answer.done():  # refused: nobody sends on then
                            break
                        writer.write(_PIECE[: BODY_BYTES - sent])
                        await writer.drain()
                try:
                    self._note_body(status_of(await asyncio.wait_for(answer, 10)))
                except ConnectionError:
                    self._note_body("cut off")
            finally:
                writer.close()

    def _note_body(self, status: str) -> None:
        if status == "422":  # read to its end, and found to be no batch
            self.done["bodies of 50 MB taken whole"] += 1
        elif status in {"401", "403", "413", "cut off"}:
            self.done["bodies of 50 MB refused"] += 1
        else:
            self.done[f"bodies answered {status}"] += 1

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(self._head("GET", "/api/metrics", self._person) + b"\r\n")
            answer = await reader.read(2**16)
            while await reader.read(2**16):
                pass
            status = status_of(answer)
            kind = "heavy answers read" if status == "200" else f"heavy reads answered {status}"
            self.done[kind] += 1
        finally:
            writer.close()

    async def _watch(self) -> None:
        headers = {"Authorization": f"Bearer {self._person}"}
        async with connect(self._live, additional_headers=headers, compression=None) as socket:
            heard = False
            async for update in socket:
                if not heard and '"telemetry"' in str(update):
                    heard = True
                    self.done["live sockets that heard the robot"] += 1

    def _head(self, method: str, path: str, secret: str, kind: str = "") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        if secret:
            lines.append(f"Authorization: Bearer {secret}")
        if kind:
            lines += [f"Content-Type: {kind}", f"Content-Length: {BODY_BYTES}", "", ""]
        else:
            lines += ["Connection: close", ""]
        return "\r\n".join(lines).encode()


def status_of(answer: bytes) -> str:
    return answer.split(b" ", 2)[1].decode() if b" " in answer else "nothing"


async def _again(work: Callable[[], Awaitable[None]], after_s: float) -> None:
    await asyncio.sleep(after_s)
    while True:
        # The server refuses, closes and does not answer in time: that is what it is asked to do.
        with suppress(OSError, WebSocketException, TimeoutError, asyncio.IncompleteReadError):
            await work()
        await asyncio.sleep(_PAUSE_S)


async def _press(work: Coroutine[None, None, None]) -> None:
    """Until SIGTERM."""
    pressing = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, pressing.cancel)
    await asyncio.wait({pressing})
    if not pressing.cancelled():
        pressing.result()


if __name__ == "__main__":
    os.nice(_NICE)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, hard), hard))
    part, *where = sys.argv[1:]
    load = Load(*where)
    asyncio.run(_press(load.flood() if part == "flood" else load.use()))
    print(json.dumps(load.done))
