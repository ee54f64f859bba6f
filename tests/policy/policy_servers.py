"""Policy servers of the tests: ours on a thread, and one that answers whatever it is told to."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from robot_rl.config import Task
from robot_rl.config.identity import task_facts
from robot_rl.policy.interface import Chunk, Observation, Policy
from robot_rl.policy.server import PolicyServer
from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.policy_server import Serves

SECRET = "a token of at least sixteen characters"

type Handler = Callable[[ServerConnection], Awaitable[None]]


class Echo:
    """A policy whose answer shows what it was asked: time, state and noise."""

    version: int | None = None

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.seen: list[Observation] = []
        self.resets = 0
        self.error: Exception | None = None
        self.value: float | None = None

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        self.seen.append(observation)
        if self.error is not None:
            raise self.error
        value = self.value if self.value is not None else float(rng.uniform(-1, 1))
        return Chunk(actions=np.full((3, self.columns), value), version=None)

    def reset(self) -> None:
        self.resets += 1


def serves_of(task: Task, **changes: object) -> Serves:
    """What a server of this task says."""
    serves = Serves(
        task=task.name,
        identity=DataIdentity(facts=task_facts(task)),
        action=task.action.names,
        cameras=task.cameras,
        state=("gripper_m",),
        chunk=3,
        policy="echo",
        sha256="0" * 64,
    )
    return serves.model_copy(update=changes)


@contextmanager
def policy_server(policy: Policy, serves: Serves, *, port: int = 0) -> Iterator[int]:
    """Its port."""

    async def run(stopping: asyncio.Event, ready: Callable[[int], None]) -> None:
        server = PolicyServer(policy, serves, SECRET, lambda _: None)
        await server.run("127.0.0.1", port, stopping, ready)

    with _on_a_thread(run) as bound:
        yield bound


@contextmanager
def rogue_server(handler: Handler, *, port: int = 0) -> Iterator[int]:
    """Its port. The handler has the whole connection, whatever the token is."""

    async def handled(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await handler(socket)

    async def run(stopping: asyncio.Event, ready: Callable[[int], None]) -> None:
        server = serve(handled, "127.0.0.1", port, compression=None, close_timeout=0.1)
        async with server as listening:
            ready(next(iter(listening.sockets)).getsockname()[1])
            await stopping.wait()

    with _on_a_thread(run) as bound:
        yield bound


@contextmanager
def _on_a_thread(
    run: Callable[[asyncio.Event, Callable[[int], None]], Awaitable[None]],
) -> Iterator[int]:
    bound: Future[int] = Future()
    ended: Future[None] = Future()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    def main() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                runner.run(_awaited(run(stopping, bound.set_result)))
                ended.set_result(None)
            except Exception as error:  # noqa: BLE001 (raised again by the test)
                ended.set_exception(error)

    threading.Thread(target=main, daemon=True).start()
    try:
        yield bound.result(10)
    finally:
        if not ended.done():
            loop.call_soon_threadsafe(stopping.set)
    ended.result(10)


async def _awaited(what: Awaitable[None]) -> None:
    await what
