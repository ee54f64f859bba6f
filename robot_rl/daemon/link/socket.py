"""One WebSocket that connects, stays open, and reconnects by itself."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

_OPEN_S = 10.0
_PING_S, _PONG_S = 5.0, 15.0  # a half-open connection is noticed; the lease has its own clock
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.2, 5.0
_REFUSED_S = 10.0
_STEADY_S = 5.0  # a connection that lasted this long was a good one
_MAX_BYTES = 2**20

type Session = Callable[[ClientConnection], Awaitable[None]]


def live_address(server_url: str, path: str) -> str:
    """http(s)://host → ws(s)://host/path."""
    return server_url.rstrip("/").replace("http", "ws", 1) + path


async def stay_connected(
    address: str, token: str, session: Session, log: Callable[[str], None]
) -> None:
    """Run `session` on every connection, for ever; what changes is logged once."""
    backoff_s, told = 0.0, ""
    while True:
        try:
            async with connect(
                address,
                additional_headers={"Authorization": f"Bearer {token}"},
                open_timeout=_OPEN_S,
                ping_interval=_PING_S,
                ping_timeout=_PONG_S,
                close_timeout=1.0,
                max_size=_MAX_BYTES,
                compression=None,  # JPEG does not shrink, and telemetry is small
                proxy=None,
            ) as socket:
                log(f"connected to {address}")
                told, began_s = "", time.monotonic()
                await session(socket)
            if time.monotonic() - began_s > _STEADY_S:
                backoff_s = 0.0
            why = f": {socket.close_reason}" if socket.close_reason else ""
            problem = f"the server closed {address}{why}"
        except InvalidStatus as error:
            problem = _refusal(address, error.response.status_code)
            backoff_s = _REFUSED_S
        except (OSError, TimeoutError, WebSocketException) as error:
            problem = f"no connection to {address}: {error or type(error).__name__}"
        if problem != told:
            log(problem)
            told = problem
        await asyncio.sleep(max(backoff_s, _FIRST_BACKOFF_S) * random.uniform(0.5, 1.0))
        backoff_s = min(max(2 * backoff_s, _FIRST_BACKOFF_S), _LONGEST_BACKOFF_S)


def _refusal(address: str, status: int) -> str:
    if status in (401, 403):
        return "the server refuses this robot's token: make a new one and start the daemon with it"
    return f"{address} answers {status}: is it a robot-rl server of this version?"
