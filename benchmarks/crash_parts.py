"""What `bench crash` kills: server, Postgres, and the two ends of a robot's outbox, as processes.

The recorder is the actor's end: it appends steps to the outbox, and notes what it appended and what
the outbox said is on the disk. The uplink is the link's end: it sends, and deletes what the server
has acknowledged.
"""

import asyncio
import multiprocessing
import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
import psutil

from benchmarks.recording import ended, picture, recorded, sent_beside, started
from benchmarks.server_process import postgres_of, started_server
from robot_rl.daemon.link.uplink import Uplink
from robot_rl.daemon.link.uplink_answer import BatchAnswer
from robot_rl.daemon.link.uplink_batch import UplinkBatch
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.rehearsal.children import end_with_parent
from robot_rl.rehearsal.system import free_port
from robot_rl.schema.message import new_id

ROBOT = "panda-sim"
RATE_HZ, EPISODE_STEPS = 20, 40
ON_THE_DISK = "on the disk"
"""In the journal: all that the same recorder has noted before."""
_JPEG_BYTES = 8_000
_STOP_S = 60.0


def record(outbox: Path, journal: Path) -> None:
    """Episode after episode until it is killed, or SIGTERM."""
    end_with_parent()
    lines = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with OutboxWriter(outbox, min_free_bytes=0) as writer:
        while True:
            episode = new_id()
            writer.append_event(started(episode, robot=ROBOT))
            for index in range(EPISODE_STEPS + 1):
                jpeg = picture(os.urandom(_JPEG_BYTES))
                step = recorded(episode, index, acted=index < EPISODE_STEPS, jpeg=jpeg)
                kept = writer.append_step(step)
                assert kept, writer.state.problem
                os.write(lines, f"{episode} {index} {time.monotonic_ns()}\n".encode())
                time.sleep(1 / RATE_HZ)
                if not writer.state.queued:
                    os.write(lines, f"{ON_THE_DISK}\n".encode())
            writer.append_event(ended(episode, EPISODE_STEPS))


def send(outbox: Path, url: str, token: str, log: Path, *, rule: bool) -> None:
    """Until it is killed. Without the rule it deletes before the server has acknowledged."""
    end_with_parent()
    say = partial(print, file=log.open("a", buffering=1))
    asyncio.run(_send(outbox, url, token, say, rule=rule))


async def _send(
    outbox: Path, url: str, token: str, say: Callable[[str], None], *, rule: bool
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    kind = Uplink if rule else _Hasty
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        await kind(OutboxReader(outbox), client, sent_beside(outbox), robot=ROBOT, log=say).run()


class _Hasty(Uplink):
    """The control: it deletes what it is about to send."""

    async def _post(self, batch: UplinkBatch) -> BatchAnswer:
        self._reader.delete_through(batch.last_number)
        return await super()._post(batch)


@dataclass(slots=True, kw_only=True)
class Parts:
    """All of them, in one folder; each can be started again."""

    folder: Path
    rule: bool = True
    port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    server: subprocess.Popen[bytes] | None = None
    recorder: BaseProcess | None = None
    uplink: BaseProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox.sqlite"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def start_server(self) -> None:
        self.server = started_server(self.folder, {ROBOT: self.token}, self.port)

    def start_recorder(self) -> None:
        self.recorder = _process(record, self.outbox, self.journal)

    def start_uplink(self) -> None:
        log = self.folder / "uplink.log"
        sends = partial(send, rule=self.rule)
        self.uplink = _process(sends, self.outbox, self.url, self.token, log)

    def kill_server(self) -> None:
        assert self.server is not None
        self.server.kill()
        self.server.wait(_STOP_S)

    def kill_recorder(self) -> None:
        _kill(self.recorder)

    def kill_uplink(self) -> None:
        _kill(self.uplink)

    def kill_postgres(self, rng: random.Random, *, first: bool) -> None:
        """Its first process, or one of those that it has started."""
        postmaster = postgres_of(self.folder)
        victim = postmaster if first else rng.choice(postmaster.children())
        try:
            victim.kill()
        except psutil.NoSuchProcess:  # it ended by itself in this moment: then the first one
            postmaster.kill()

    def stop(self) -> None:
        """In the order in which a lab would."""
        for process in (self.recorder, self.uplink):
            if process is not None:
                process.terminate()
                process.join(_STOP_S)
        if self.server is not None:
            self.server.terminate()
            self.server.wait(_STOP_S)


def _process(work: Callable[..., None], *arguments: object) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["__main__", "benchmarks.crash_parts"]
    )  # each starts in a moment
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def _kill(process: BaseProcess | None) -> None:
    assert process is not None
    if not process.is_alive():
        print(f"{process.name} had ended by itself: {process.exitcode}", file=sys.stderr)
    process.kill()
    process.join(_STOP_S)
