"""The network of `bench faults`: server, learner and uplink live in a network of their own, whose
only device is taken down and up again.

The kernel gives a thread a network namespace; what the thread starts lives there too. Sockets are
on its loopback, and connections meet what a pulled cable does: packets are lost, nobody is told.
"""

import asyncio
import os
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import httpx

from benchmarks.fault_cell import FaultCell
from benchmarks.fault_trial import NotHere
from benchmarks.killed_learner import Life
from benchmarks.recorded_feed import LEARNER_TOKEN, ROBOT, ROBOT_TOKEN, recorded_feed
from benchmarks.recording import sent_beside
from robot_rl.config import load_task
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.daemon.link.uplink import Uplink
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.settings import LearnerSettings
from robot_rl.policy.starting import write_untrained
from robot_rl.schema.feed import SegmentStored

UNATTENDED_S = 2.0
_EPISODES, _STEPS = 8, 20
_LEARNER = {"batch": 64, "width": 64, "start_steps": 20, "critic_warmup_updates": 50}
_PAGE_WAIT_S = 0.2


class Island:
    """A thread in a network of its own. Raises NotHere."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "island", initializer=None)
        try:
            self.run(lambda: os.unshare(os.CLONE_NEWNET))
            self.link("up")
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotHere(f"this user may not make a network namespace: {error}") from error

    def run[T](self, work: Callable[[], T]) -> T:
        """In that thread; what it starts lives there too."""
        return self._thread.submit(work).result()

    def link(self, state: str) -> None:
        """Its only device is `up` or `down`."""
        command = ["ip", "link", "set", "lo", state]
        self.run(lambda: subprocess.run(command, check=True, capture_output=True, timeout=10))

    def thread(self, work: Callable[[], None]) -> threading.Thread:
        """A further thread in the same network: the kernel hands it down."""
        made = threading.Thread(target=work, daemon=True)
        self.run(made.start)
        return made


class NetworkCell(FaultCell):
    """Arm and control here; a server with recorded episodes and a learner in the island."""

    def __init__(self, folder: Path, task: Task, island: Island, url: str) -> None:
        super().__init__(folder, task)
        self.folder, self.island, self.url = folder, island, url
        self._count = 0
        self.said: list[str] = []  # by the uplink

    def rest(self) -> None:
        self.island.link("up")
        super().rest()

    def new_folder(self) -> Path:
        """Of one trial."""
        self._count += 1
        folder = self.folder / f"trial{self._count}"
        folder.mkdir()
        return folder

    def new_learner(self) -> Life:
        """One that has not learned anything yet."""
        folder = self.new_folder()
        settings = LearnerSettings(
            task=self.settings.task,
            server_url=self.url,
            token=LEARNER_TOKEN,
            data_folder=folder,
            lockstep=True,
        )
        return Life(settings=settings, folder=folder, log=folder / "learner.log")

    def uplink(self, outbox: Path, sent: threading.Event) -> threading.Thread:
        """Sends until `sent` is set and nothing waits."""

        async def send() -> None:
            reader = OutboxReader(outbox)
            bearer = {"Authorization": f"Bearer {ROBOT_TOKEN}"}
            async with httpx.AsyncClient(base_url=self.url, headers=bearer) as client:
                uplink = Uplink(
                    reader,
                    client,
                    sent_beside(outbox),
                    robot=ROBOT,
                    log=self.said.append,
                    longest_backoff_s=1.0,
                )
                running = asyncio.create_task(uplink.run())
                await asyncio.to_thread(sent.wait)
                while reader.counts().pending:  # noqa: ASYNC110 (another thread sends)
                    await asyncio.sleep(0.05)
                uplink.drain()
                await running
            reader.close()

        return self.island.thread(lambda: asyncio.run(send()))

    def stored(self) -> Counter[tuple[UUID, int]]:
        """How often the server has each step."""

        def read() -> Counter[tuple[UUID, int]]:
            found: Counter[tuple[UUID, int]] = Counter()
            client = ServerClient(self.url, LEARNER_TOKEN, threading.Event(), say=lambda _: None)
            after = 0
            while (page := client.page(self.settings.task.name, after, _PAGE_WAIT_S)).items:
                for item in page.items:
                    event = item.event
                    if isinstance(event, SegmentStored):
                        indices = range(event.first_index, event.first_index + event.count)
                        found.update((event.episode_id, index) for index in indices)
                after = page.items[-1].number
            return found

        return self.island.run(read)


@contextmanager
def network_cell() -> Iterator[NetworkCell]:
    """Raises NotHere."""
    island = Island()
    plain = load_task("lift_cube")
    rule = plain.interventions.model_copy(update={"unattended_s": UNATTENDED_S})
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        policy = StartingPolicy(folder=str(folder / "policy"))
        learner = plain.learner.model_copy(update=_LEARNER)
        task = plain.model_copy(
            update={"policy": policy, "learner": learner, "interventions": rule}
        )
        write_untrained(folder / "policy", task, seed=0)
        feed = recorded_feed(folder / "server", task, episodes=_EPISODES, steps=_STEPS)
        url = island.run(feed.__enter__)
        stack.callback(lambda: island.run(lambda: feed.__exit__(None, None, None)))
        stack.callback(island.link, "up")
        cell = NetworkCell(folder, task, island, url)
        stack.callback(cell.end)
        cell.start()
        yield cell
