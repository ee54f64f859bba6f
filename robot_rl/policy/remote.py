"""A policy that thinks on another machine, asked over a WebSocket: late, lost and unusable answers
are no answers, and the robot holds.

The connection lives in a thread of its own, which connects again by itself; whoever asks waits for
one answer, no longer than `timeout_s`. What goes wrong with an answer ends its connection, so that
nothing that was asked before can be answered later.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from robot_rl.policy.interface import Chunk, NoAnswer, Observation
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.packing import BadMessage
from robot_rl.reconnect import Line, SessionOver, stay_connected

TOKEN = "ROBOT_RL_POLICY_TOKEN"
_FIRST_S = 5.0  # for the first connection; without it the policy begins as one that is away
_GREETING_S = 5.0
_OPEN_S = 3.0
_PING_S, _PONG_S = 2.0, 5.0  # a server that stands still is noticed by its answers long before
_LONGEST_BACKOFF_S = 2.0
_REFUSED_S = 5.0
_GRACE_S = 1.0  # beyond the time-out, for the thread of the connection to say that it passed


class Unfit(BadCheckpoint):
    """What a server serves is not for this task: one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCall:
    """What goes with an observation. `begins`: the first one of an episode."""

    begins: bool
    seed: int
    deterministic: bool


class Dialect(Protocol):
    """How one kind of policy server is spoken to; bytes in, bytes out."""

    answer_limit_bytes: int

    def headers(self) -> Mapping[str, str]:
        """What proves that this robot may ask."""
        ...

    def greeting(self) -> bytes | None:
        """What the robot says first; None: the server does."""
        ...

    def meet(self, data: bytes | str) -> None:
        """Look at what the server says of itself. Raises Unfit; NoAnswer, where the same may fit
        later; or BadMessage.
        """
        ...

    def question(self, observation: Observation, asked: PolicyCall) -> bytes:
        """Raises BadObservation."""
        ...

    def actions(self, data: bytes | str) -> NDArray[np.float64]:
        """(steps, action) of an answer. Raises BadMessage, or BadObservation where the server says
        that the policy cannot decide.
        """
        ...


class RemotePolicy:
    """`address`: ws:// or wss://. Raises BadCheckpoint when a server is there and does not fit."""

    version: int | None = None

    def __init__(self, address: str, dialect: Dialect, timeout_s: float) -> None:
        self._called = f"the policy server at {address}"
        self._dialect, self._timeout_s = dialect, timeout_s
        self._line = Line(
            address=address,
            headers=dialect.headers(),
            refusal=f"{self._called} refuses the token: set {TOKEN} here to what it was started "
            "with",
            max_bytes=dialect.answer_limit_bytes,
            open_s=_OPEN_S,
            ping_s=_PING_S,
            pong_s=_PONG_S,
            longest_backoff_s=_LONGEST_BACKOFF_S,
            refused_s=_REFUSED_S,
        )
        self._begins = True
        self._socket: ClientConnection | None = None  # None: nobody can be asked
        self._over: asyncio.Future[str] | None = None  # why the connection is to end
        self._problem = f"{self._called} has not been reached yet"
        self._refused = False
        self._settled = threading.Event()  # it is known whether there is a server
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="policy server", daemon=True)
        self._thread.start()
        self._settled.wait(_FIRST_S)
        if self._refused:
            self.close()
            raise Unfit(self._problem)

    @property
    def away(self) -> str:
        """Why it cannot be asked now; empty when it can."""
        return "" if self._socket is not None else self._problem

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        """Raises NoAnswer, or BadObservation."""
        seed = 0 if deterministic else int(rng.integers(2**63 - 1))
        asked = PolicyCall(begins=self._begins, seed=seed, deterministic=deterministic)
        data = self._answer(self._dialect.question(observation, asked))
        try:
            actions = self._dialect.actions(data)
        except BadMessage as error:
            problem = f"{self._called} gave an answer that cannot be used: {error}"
            self._loop.call_soon_threadsafe(self._drop, problem)
            raise NoAnswer(problem) from error
        self._begins = False
        return Chunk(actions=actions, version=self.version)

    def reset(self) -> None:
        """The next question is the first one of an episode."""
        self._begins = True

    def close(self) -> None:
        """Whoever waits for an answer has none at once."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(_GRACE_S)

    # ---- the thread of whoever asks -------------------------------------------------------------

    def _answer(self, question: bytes) -> bytes | str:
        """Raises NoAnswer."""
        if not self._thread.is_alive():
            raise NoAnswer("the connection to the policy server was closed")
        future = asyncio.run_coroutine_threadsafe(self._exchange(question), self._loop)
        try:
            return future.result(self._timeout_s + _GRACE_S)
        except (CancelledError, TimeoutError) as error:
            raise NoAnswer("the connection to the policy server was closed") from error

    # ---- the thread of the connection -----------------------------------------------------------

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._stay())

    async def _stay(self) -> None:
        staying = asyncio.create_task(stay_connected(self._line, self._session, self._hear))
        closing = asyncio.create_task(self._closing.wait())
        done, _ = await asyncio.wait((staying, closing), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a defect of ours is raised; what is left is cancelled by the runner

    def _hear(self, text: str) -> None:
        """What became of the connection."""
        if self._socket is None and not text.startswith("connected"):
            self._problem = text
            self._refused = self._refused or text == self._line.refusal
            self._settled.set()

    async def _session(self, socket: ClientConnection) -> None:
        await self._greet(socket)
        self._socket, self._refused = socket, False
        self._over = asyncio.get_running_loop().create_future()
        self._settled.set()
        closed = asyncio.create_task(socket.wait_closed())
        try:
            await asyncio.wait((closed, self._over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._socket = None
            closed.cancel()
        if self._over.done():
            raise SessionOver(self._over.result())

    async def _greet(self, socket: ClientConnection) -> None:
        """Raises SessionOver."""
        try:
            async with asyncio.timeout(_GREETING_S):
                greeting = self._dialect.greeting()
                if greeting is not None:
                    await socket.send(greeting)
                said = await socket.recv()
            self._dialect.meet(said)
        except TimeoutError as error:
            raise SessionOver(
                f"{self._called} does not say what it serves: is it one of another kind?"
            ) from error
        except NoAnswer as error:
            raise SessionOver(f"{self._called} does not serve this robot: {error}") from error
        except BadMessage as error:
            self._refused = True
            raise SessionOver(
                f"{self._called} does not say what it serves: {error}; is it one of another kind?",
                refused=True,
            ) from error
        except Unfit as error:
            self._refused = True
            raise SessionOver(f"{self._called} {error}", refused=True) from error

    async def _exchange(self, question: bytes) -> bytes | str:
        """Raises NoAnswer."""
        socket = self._socket
        if socket is None:
            raise NoAnswer(self._problem)
        try:
            async with asyncio.timeout(self._timeout_s):
                await socket.send(question)
                return await socket.recv()
        except TimeoutError as error:
            problem = (
                f"{self._called} took longer than {self._timeout_s:g} s; a GPU or a smaller model "
                "answers in time, or allow more in the task file (policy.server_timeout_s)"
            )
            raise self._lost(problem) from error
        except ConnectionClosed as error:
            too_big = error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG
            limit = self._dialect.answer_limit_bytes
            problem = (
                f"{self._called} gave an answer that cannot be used: it is longer than {limit} "
                "bytes"
                if too_big
                else f"{self._called} ended the connection"
            )
            raise self._lost(problem) from error

    def _lost(self, problem: str) -> NoAnswer:
        self._drop(problem)
        return NoAnswer(problem)

    def _drop(self, problem: str) -> None:
        """Ask nobody until there is a new connection."""
        self._socket, self._problem = None, problem
        if self._over is not None and not self._over.done():
            self._over.set_result(problem)
