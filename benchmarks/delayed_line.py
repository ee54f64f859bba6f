"""A TCP line that delivers late and in order: the network between a console and its server."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def delayed(url: str, round_trip_s: float) -> Iterator[str]:
    """A URL that leads to `url`, half a round trip late in each direction."""
    loop = asyncio.new_event_loop()
    line = _Line(url, round_trip_s / 2)
    thread = threading.Thread(target=loop.run_forever, name="delayed line", daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(line.open(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(line.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Line:
    def __init__(self, url: str, delay_s: float) -> None:
        self._to, self._delay_s = urlsplit(url), delay_s
        self._pumps: list[asyncio.Task[None]] = []
        self._ends: list[asyncio.StreamWriter] = []

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return self._to._replace(netloc=f"127.0.0.1:{port}").geturl()

    async def close(self) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        for end in self._ends:
            end.transport.abort()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._ends += [back, forth]
        for source, sink in ((near, forth), (far, back)):
            under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
            self._pumps.append(asyncio.create_task(self._take(source, under_way)))
            self._pumps.append(asyncio.create_task(self._give(under_way, sink)))

    async def _take(
        self, source: asyncio.StreamReader, under_way: "asyncio.Queue[tuple[float, bytes]]"
    ) -> None:
        now_s = asyncio.get_running_loop().time
        while data := await source.read(65536):
            under_way.put_nowait((now_s() + self._delay_s, data))
        under_way.put_nowait((now_s() + self._delay_s, b""))

    async def _give(
        self, under_way: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter
    ) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            due_s, data = await under_way.get()
            if (wait_s := due_s - now_s()) > 0.0:
                await asyncio.sleep(wait_s)
            if not data:
                sink.close()
                return
            sink.write(data)
