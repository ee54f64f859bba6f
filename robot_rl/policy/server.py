"""The other end of a policy server's socket: one robot asks, a policy answers in a thread.

Unauthorised connections end before the WebSocket begins, messages are bounded, and what nobody
foresaw ends the server: robots hold until it is started again.
"""

import asyncio
import hmac
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import numpy as np
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from robot_rl.errors import PlainError
from robot_rl.policy.images import StoredImages
from robot_rl.policy.interface import BadObservation, Observation, Policy
from robot_rl.policy.packing import (
    BadMessage,
    checked,
    pack,
    protocol_of,
    unpack,
    unpack_plain,
)
from robot_rl.schema.message import Message
from robot_rl.schema.policy_server import (
    POLICY_PROTOCOL,
    QUESTION_LIMIT_BYTES,
    TO_SERVER,
    NotServed,
    PolicyAnswer,
    PolicyCannotAnswer,
    PolicyHello,
    PolicyQuestion,
    Serves,
)

_GREETING_S = 5.0
_PING_S, _PONG_S = 2.0, 5.0  # a robot that is gone makes room for another within their sum
_REASON = 100  # characters of a close reason; 123 bytes are allowed


class PolicyServer:
    """State: the robot that is served; one at a time, as a policy may carry over what it saw."""

    def __init__(
        self, policy: Policy, serves: Serves, token: str, say: Callable[[str], None]
    ) -> None:
        self._policy, self._serves, self._say = policy, serves, say
        self._token = f"Bearer {token}".encode()
        self._robot: tuple[PolicyHello, ServerConnection] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._failed: asyncio.Future[None] | None = None

    async def run(
        self, host: str, port: int, stopping: asyncio.Event, ready: Callable[[int], None]
    ) -> None:
        """Until `stopping` is set; `ready` is told the port. Raises PlainError, and what the
        policy's code raised.
        """
        self._failed = asyncio.get_running_loop().create_future()
        server = serve(
            self._connected,
            host,
            port,
            process_request=self._authorise,
            compression=None,
            max_size=QUESTION_LIMIT_BYTES,
            max_queue=2,
            ping_interval=_PING_S,
            ping_timeout=_PONG_S,
            close_timeout=1.0,
        )
        try:
            async with server as listening:
                ready(next(iter(listening.sockets)).getsockname()[1])
                stop = asyncio.create_task(stopping.wait())
                await asyncio.wait((stop, self._failed), return_when=asyncio.FIRST_COMPLETED)
                stop.cancel()
        except OSError as error:
            raise PlainError(
                f"cannot listen on {host}:{port} ({error.strerror}): stop what uses the port, or "
                "choose another one with --port"
            ) from error
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._failed.done():
            self._failed.result()

    def _authorise(self, connection: ServerConnection, request: Request) -> Response | None:
        given = request.headers.get("Authorization", "").encode()
        if hmac.compare_digest(given, self._token):
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "the token is not this server's\n")

    async def _connected(self, socket: ServerConnection) -> None:
        """One connection, from its greeting to its end."""
        try:
            hello = await self._greeted(socket)
            if hello is not None:
                await self._serve(hello, socket)
        except (BadMessage, TimeoutError) as error:
            await socket.close(CloseCode.PROTOCOL_ERROR, str(error)[:_REASON])
        except ConnectionClosed:
            pass  # the robot is gone

    async def _greeted(self, socket: ServerConnection) -> PolicyHello | None:
        """Whom `_robot` is from then on; None: it is not served, and knows why. Raises BadMessage,
        TimeoutError.
        """
        async with asyncio.timeout(_GREETING_S):
            plain = unpack_plain(await socket.recv())
        why, busy_with = "", None
        spoken = protocol_of(plain)
        if spoken is not None and spoken != POLICY_PROTOCOL:
            why = (
                f"this robot speaks protocol {spoken} and the server {POLICY_PROTOCOL}; bring both "
                "to the same release"
            )
        else:
            hello = checked(plain, TO_SERVER)
            if not isinstance(hello, PolicyHello):
                raise BadMessage(f"it begins with {hello.kind}")
            served = self._robot
            if served is None or served[0].client == hello.client:
                if served is not None:  # it has lost its connection, and is here again
                    served[1].transport.abort()
                self._robot = (hello, socket)  # before anything is waited for: it is one robot
                return hello
            busy_with = served[0].name
            why = (
                f"{served[0].name} is served, and a policy server serves one robot at a time; "
                "start another server for this one"
            )
        later = spoken == POLICY_PROTOCOL
        await socket.send(pack(NotServed(why=why, later=later, busy_with=busy_with)))
        return None

    async def _serve(self, hello: PolicyHello, socket: ServerConnection) -> None:
        """The robot of `_robot`, until it is gone. Raises BadMessage, ConnectionClosed."""
        self._say(f"{hello.name} is served")
        try:
            await self._begin_anew()
            await socket.send(pack(self._serves))
            await self._answer_all(socket)
        finally:
            if self._robot is not None and self._robot[1] is socket:
                self._robot = None
                self._say(f"{hello.name} is gone")

    async def _begin_anew(self) -> None:
        """What another robot saw concerns nobody any more."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._policy.reset)

    async def _answer_all(self, socket: ServerConnection) -> None:
        """Raises BadMessage, ConnectionClosed."""
        loop = asyncio.get_running_loop()
        async for data in socket:
            question = unpack(data, TO_SERVER)
            if not isinstance(question, PolicyQuestion):
                raise BadMessage(f"{question.kind} comes after the greeting")
            if question.task_sha256 != self._serves.identity.sha256:
                raise BadMessage("the question is of another task than the one that is served")
            answering = loop.run_in_executor(self._pool, self._answer, question)
            await socket.send(pack(await self._unless_it_fails(answering)))

    async def _unless_it_fails(self, answering: asyncio.Future[Message]) -> Message:
        """What the policy's code raises ends the server, and not this connection alone."""
        try:
            return await answering
        except Exception as error:
            assert self._failed is not None  # since `run`
            if not self._failed.done():
                self._failed.set_exception(error)
            raise

    def _answer(self, question: PolicyQuestion) -> Message:
        if question.begins:
            self._policy.reset()
        observation = Observation(
            images=StoredImages(question.jpegs),
            jpegs=question.jpegs,
            state=np.array(list(question.state.values()), np.float64),
            state_names=tuple(question.state),
            instruction=question.instruction,
            t_ns=question.t_ns,
        )
        began = time.perf_counter()
        try:
            chunk = self._policy.act(
                observation,
                np.random.default_rng(question.seed),
                deterministic=question.deterministic,
            )
            return PolicyAnswer(
                number=question.number,
                actions=tuple(map(tuple, chunk.actions.tolist())),
                took_s=time.perf_counter() - began,
            )
        except BadObservation as error:
            return PolicyCannotAnswer(number=question.number, why=str(error))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]["msg"]
            why = f"the policy's actions cannot be sent: {first}"
            return PolicyCannotAnswer(number=question.number, why=why)
