"""What a connection may cost that asks for nothing or takes nothing: uvicorn waits for ever.

A thousand half-open requests would use up the file descriptors of the server, and with them the
connection over which somebody wants to stop a robot. How long a request's own body may take is
the route's matter (routes/guarded.py), because only there it is known who sends it.
"""

import asyncio
import ssl
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEAD_S = 10.0
"""A TLS handshake, a head, and a body that nobody reads any more must each have come whole this
long after their first byte, or after the connection's begin."""
WAITING_LIMIT = 128
"""Connections that do not ask for anything yet; one more, and the oldest of them is closed.

A genuine one waits for milliseconds, so a flood pushes out its own.
"""
TAKING_S = 60.0
"""An answer that waits to be sent must move on by 48 KiB, asyncio's two marks, in this time."""


class Waiting:
    """Connections of one server that ask for nothing yet, in order of their begin."""

    def __init__(self, *, head_s: float, limit: int) -> None:
        self._head_s, self._limit = head_s, limit
        self._timers: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def __contains__(self, transport: asyncio.Transport) -> bool:
        return transport in self._timers

    def begin(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        self._timers[transport] = loop.call_later(self._head_s, transport.abort)
        if len(self._timers) > self._limit:
            oldest = next(iter(self._timers))
            self.end(oldest)
            oldest.abort()

    def end(self, transport: asyncio.Transport) -> None:
        timer = self._timers.pop(transport, None)
        if timer is not None:
            timer.cancel()


class BoundedConnection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it. Which are `waiting`: see `bounded_connections`."""

    waiting: Waiting
    head_s: float
    taking_s: float
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting.begin(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_as_needed()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_as_needed()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.end(self.transport)
        self._takes()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(self.taking_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._takes()
        super().resume_writing()

    def _takes(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _wait_as_needed(self) -> None:
        if not self._owes():
            self.waiting.end(self.transport)
        elif self.transport not in self.waiting and not self.transport.is_closing():
            self.waiting.begin(self.transport)

    def _owes(self) -> bool:
        """Whether the rest of a head is to come, or of a body that nobody reads any more."""
        answered = self.cycle is not None and self.cycle.response_complete
        if self.conn.their_state is h11.SEND_BODY:
            return answered
        rest, _ = self.conn.trailing_data
        return self.conn.their_state is h11.IDLE and (not answered or rest != b"")


class EncryptedConnection(asyncio.Protocol):
    """TLS around a bounded connection, which is counted as waiting before the handshake: asyncio's
    own TLS servers tell of a connection only afterwards, and give it a minute.
    """

    bounded: type[BoundedConnection]
    context: ssl.SSLContext

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._connection = self.bounded(config, server_state, app_state, _loop)
        self._early = b""  # what came right behind the handshake
        self._lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.pause_reading()  # what comes belongs to the handshake
        self.bounded.waiting.begin(transport)
        self._handshake = asyncio.create_task(self._encrypt(transport))

    def data_received(self, data: bytes) -> None:
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio names it)
        self._lost = True

    async def _encrypt(self, transport: asyncio.Transport) -> None:
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                transport,
                self,
                self.context,
                server_side=True,
                ssl_handshake_timeout=self.bounded.head_s,
            )
        except OSError:  # no TLS, too slow or hung up: there is nobody to tell
            transport.abort()
            return
        finally:
            self.bounded.waiting.end(transport)
        if encrypted is None or self._lost:
            return
        encrypted.set_protocol(self._connection)
        self._connection.connection_made(encrypted)
        if self._early:
            self._connection.data_received(self._early)


def bounded_connections(
    context: ssl.SSLContext | None = None,
    *,
    head_s: float = HEAD_S,
    waiting_limit: int = WAITING_LIMIT,
    taking_s: float = TAKING_S,
) -> type[asyncio.Protocol]:
    """For one server: its connections know of each other. With a `context` they speak TLS."""

    class Connection(BoundedConnection):
        pass

    Connection.waiting = Waiting(head_s=head_s, limit=waiting_limit)
    Connection.head_s, Connection.taking_s = head_s, taking_s
    if context is None:
        return Connection

    class Encrypted(EncryptedConnection):
        pass

    Encrypted.bounded, Encrypted.context = Connection, context
    return Encrypted
