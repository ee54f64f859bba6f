"""What a connection may cost before it has asked for anything: uvicorn itself waits for ever.

A thousand half-open requests would use up the file descriptors of the server, and with them the
connection over which somebody wants to stop a robot.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""A head must have come whole this long after its first byte, or after the connection's begin."""
WAITING_LIMIT = 128
"""Connections that have not asked for anything yet; one more, and the oldest of them is closed.

A genuine one waits for milliseconds, so a flood pushes out its own.
"""


class BoundedConnection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it. `waiting` is of one server: see `bounded_connections`."""

    waiting: "dict[BoundedConnection, asyncio.TimerHandle]"  # in order of their begin
    head_s: float
    waiting_limit: int

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._wait_no_longer()
        elif self not in self.waiting and not self.transport.is_closing():
            self._wait()  # the first bytes of a further request

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.waiting[self] = self.loop.call_later(self.head_s, self.transport.abort)
        if len(self.waiting) > self.waiting_limit:
            oldest = next(iter(self.waiting))
            oldest._wait_no_longer()
            oldest.transport.abort()

    def _wait_no_longer(self) -> None:
        timer = self.waiting.pop(self, None)
        if timer is not None:
            timer.cancel()


def bounded_connections(
    *, head_s: float = HEAD_S, waiting_limit: int = WAITING_LIMIT
) -> type[BoundedConnection]:
    """For one server: its connections know of each other."""

    class Connection(BoundedConnection):
        pass

    Connection.waiting = {}
    Connection.head_s, Connection.waiting_limit = head_s, waiting_limit
    return Connection
