"""Who calls and how much they send is settled before a body is read.

FastAPI reads and parses a body before it asks who sent it: 50 MB of JSON from anybody would hold up
the event loop, and with it every STOP, for seconds.
"""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from time import monotonic
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from robot_rl.errors import TooLarge, TooSlow
from robot_rl.server.accounts import roles
from robot_rl.server.services import Services

JSON_LIMIT_BYTES = 256 * 2**10  # parsed in the event loop, within milliseconds
STRANGERS_LIMIT_BYTES = 4 * 2**10  # a name and a password
STRANGERS_WAIT_S = 10.0  # for all of it
KNOWN_WAIT_S = 30.0  # without a byte; and one second more for every LEAST_RATE bytes that came
LEAST_RATE_BYTES_S = 4 * 2**10


class GuardedRoute(APIRoute):
    """A route that takes a body of a signed-in caller only, and no more than its limit; a stranger
    may send the little that signing in takes.

    What FastAPI itself parses is JSON, and bounded for all routes alike; `upload_limit_bytes` is
    for handlers that read the request themselves, a piece at a time.
    """

    upload_limit_bytes: ClassVar[int] = JSON_LIMIT_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        parsed = self.body_field is not None
        limit = JSON_LIMIT_BYTES if parsed else self.upload_limit_bytes
        open_ = any(roles.is_open(method, self.path) for method in self.methods or ())
        if open_:
            limit = STRANGERS_LIMIT_BYTES

        async def guarded(request: Request) -> Response:
            length = request.headers.get("content-length")
            if length == "0" or (length is None and "transfer-encoding" not in request.headers):
                return await handle(request)
            services: Services = request.app.state.services
            if not open_:
                await services.gate.admit(request)
            if length is not None and int(length) > limit:
                raise TooLarge(f"the request has {length} bytes, at most {limit} are taken here")
            wait_s, rate = (STRANGERS_WAIT_S, inf) if open_ else (KNOWN_WAIT_S, LEAST_RATE_BYTES_S)
            receive = _bounded(request.receive, limit, wait_s=wait_s, rate_bytes_s=rate)
            bounded = Request(request.scope, receive)
            if parsed:  # here, because FastAPI takes every error while reading for bad JSON
                await bounded.body()
            return await handle(bounded)

        return guarded


def guarded_router(
    *, prefix: str = "", tag: str, upload_limit_bytes: int = JSON_LIMIT_BYTES
) -> APIRouter:
    """A router of guarded routes."""

    class Route(GuardedRoute):
        pass

    Route.upload_limit_bytes = upload_limit_bytes
    return APIRouter(prefix=prefix, tags=[tag], route_class=Route)


def _bounded(receive: Receive, limit_bytes: int, *, wait_s: float, rate_bytes_s: float) -> Receive:
    """A body that comes in chunks says nowhere how long it is, and a slow one would stay for ever.

    Only the time counts that the server waits for more, not what it does with a piece.
    """
    taken, waited_s = 0, 0.0

    async def bounded() -> Message:
        nonlocal taken, waited_s
        began = monotonic()
        allowed_s = wait_s + taken / rate_bytes_s - waited_s
        try:
            async with asyncio.timeout(allowed_s):
                message = await receive()
        except TimeoutError as error:
            raise TooSlow(
                f"after {taken} bytes the rest of the request did not come in time: send it again"
            ) from error
        waited_s += monotonic() - began
        taken += len(message.get("body", b""))
        if taken > limit_bytes:
            raise TooLarge(f"the request has more than {limit_bytes} bytes, which are taken here")
        return message

    return bounded
