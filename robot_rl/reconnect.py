"""One WebSocket that connects, stays open, and reconnects by itself."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

_FIRST_BACKOFF_S = 0.2
_STEADY_S = 5.0  # a connection that lasted this long was a good one

type Session = Callable[[ClientConnection], Awaitable[None]]


class SessionOver(Exception):
    """Raised by a session that ends its connection: one sentence, said in place of ours.

    refused: the same would be said again at once, so that the next attempt waits.
    """

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Whom to call and how patiently.

    ping_s, pong_s: a half-open connection is noticed within their sum.
    refusal: what is said when the token is not taken.
    """

    address: str
    headers: Mapping[str, str]
    refusal: str
    max_bytes: int = 2**20
    open_s: float = 10.0
    ping_s: float = 5.0
    pong_s: float = 15.0
    longest_backoff_s: float = 5.0
    refused_s: float = 10.0  # from a refusal to the next attempt


def live_address(server_url: str, path: str) -> str:
    """http(s)://host → ws(s)://host/path."""
    return server_url.rstrip("/").replace("http", "ws", 1) + path


async def stay_connected(line: Line, session: Session, log: Callable[[str], None]) -> None:
    """Run `session` on every connection, for ever; what changes is logged once."""
    address = line.address
    backoff_s, told = 0.0, ""
    while True:
        began_s = float("inf")
        refused = False
        try:
            async with connect(
                address,
                additional_headers=line.headers,
                open_timeout=line.open_s,
                ping_interval=line.ping_s,
                ping_timeout=line.pong_s,
                close_timeout=1.0,
                max_size=line.max_bytes,
                compression=None,  # JPEG does not shrink, and telemetry is small
                proxy=None,
            ) as socket:
                log(f"connected to {address}")
                told, began_s = "", time.monotonic()
                await session(socket)
            why = f": {socket.close_reason}" if socket.close_reason else ""
            problem = f"the server closed {address}{why}"
        except SessionOver as error:
            problem, refused = str(error), error.refused
        except InvalidStatus as error:
            problem, refused = _refusal(line, error.response.status_code), True
        except (OSError, TimeoutError, WebSocketException) as error:
            problem = f"no connection to {address}: {error or type(error).__name__}"
        if problem != told:
            log(problem)
            told = problem
        if time.monotonic() - began_s > _STEADY_S:
            backoff_s = 0.0
        wait_s = line.refused_s if refused else max(backoff_s, _FIRST_BACKOFF_S)
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
        backoff_s = min(max(2 * backoff_s, _FIRST_BACKOFF_S), line.longest_backoff_s)


def _refusal(line: Line, status: int) -> str:
    if status in (401, 403):
        return line.refusal
    return f"{line.address} answers {status}: is it a robot-rl server of this version?"
