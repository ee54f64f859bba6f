"""A policy server as a process: until SIGINT or SIGTERM."""

import asyncio
import signal

from robot_rl.policy.served import ServedPolicy
from robot_rl.policy.server import PolicyServer


def serve_until_stopped(served: ServedPolicy, token: str, host: str, port: int) -> None:
    """Raises PlainError when it cannot listen, and what the policy's code raised."""
    asyncio.run(_serve(served, token, host, port))


async def _serve(served: ServedPolicy, token: str, host: str, port: int) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    serves = served.serves

    def ready(bound: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        _say(
            f"serving {serves.policy} ({serves.sha256[:12]}…) for {serves.task} on "
            f"ws://{shown}:{bound}, {serves.chunk} actions an answer"
        )

    server = PolicyServer(served.policy, serves, token, _say)
    await server.run(host, port, stopping, ready)


def _say(text: str) -> None:
    print(text, flush=True)
