"""The process `link`: network, and nothing that control or the actor ever wait for."""

import asyncio
import signal

from robot_rl.daemon.link.link import Link
from robot_rl.daemon.log import Log
from robot_rl.daemon.settings import DaemonSettings


def main(settings: DaemonSettings) -> None:
    """Run until SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the supervisor decides
    asyncio.run(_run(settings))


async def _run(settings: DaemonSettings) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await Link(settings, Log(settings.log_file, "link")).run(stopping)
