"""The link: the robot's one way to the server. Everything it does may fail, and the robot goes on.

Durable: the uplink, in a thread of its own. Live: telemetry and video out, commands in. In
lock-step it stands in for everybody outside (pacer.py): virtual time goes on when they have
answered.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote
from uuid import UUID

import httpx
import numpy as np
from pydantic import TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection

from hardware.clock import open_clock
from hardware.memory import Ring
from robot_rl.daemon import topics
from robot_rl.daemon.data_folder import MIN_FREE_BYTES, free_bytes
from robot_rl.daemon.limits import selectable_profiles
from robot_rl.daemon.link.download import Downloads
from robot_rl.daemon.link.echo import run_echo
from robot_rl.daemon.link.late import LateCommands
from robot_rl.daemon.link.lockstep import Turns
from robot_rl.daemon.link.mailbox import LiveOutbound
from robot_rl.daemon.link.meeting import Meetings
from robot_rl.daemon.link.pacer import Pacer
from robot_rl.daemon.link.requests import Router
from robot_rl.daemon.link.telemetry import Contact, Readings, telemetry_of
from robot_rl.daemon.link.uplink_thread import UplinkThread
from robot_rl.daemon.link.video import Video
from robot_rl.daemon.log import Log
from robot_rl.daemon.messages import receive, send
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.reconnect import Line, live_address, stay_connected
from robot_rl.schema.live.robot_command import (
    ClientGone,
    FromClient,
    LearnerHeard,
    PolicyAnnounced,
    RobotCommand,
)
from robot_rl.schema.live.robot_message import CommandResult, RobotHello, StopProgress
from robot_rl.schema.live.telemetry import OutboxStatus, Telemetry

TELEMETRY_S = 0.05  # 20 Hz
FLUSH_S = 2.0  # what can still be sent when the daemon ends
_WAIT_S = 0.25
_COMMANDS: TypeAdapter[RobotCommand] = TypeAdapter(RobotCommand)
_ANSWERS: TypeAdapter[CommandResult | StopProgress] = TypeAdapter(CommandResult | StopProgress)


class Link:
    """One event loop beside one uplink thread."""

    def __init__(self, settings: DaemonSettings, log: Log) -> None:
        self._settings, self._log = settings, log
        folder = settings.memory
        self._clock = open_clock(folder, virtual=settings.lockstep, party="link")
        self._readings = Readings(settings)
        self._contacts = {
            name: Contact(stated=arm.stated, stiffness=arm.gains().stiffness)
            for name, arm in settings.cell.arms.items()
        }
        self._profiles = selectable_profiles(settings.cell, settings.task)
        self._outbox = topics.open_slot(folder, "outbox")
        self._answers = [
            topics.open_ring(folder, name) for name in ("control_results", "actor_results")
        ]
        self._offers = topics.open_ring(folder, "actor_requests")
        self._mailbox = LiveOutbound()
        self._turns = Turns()
        self._router = Router(
            folder,
            self._clock,
            self._turns,
            self._readings.control,
            self._mailbox,
            arms=tuple(settings.cell.arms),
            first_arm=settings.task.acting_arms[0],
        )
        self._late = LateCommands(settings.link_delay_ns, settings.control_period_ns, settings.seed)
        self._sent_late = asyncio.Event()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="wait")
        self._online = False
        self._answered = 0  # answers of control and actor that went out
        self._status = OutboxStatus(
            pending=0, recorded_steps=0, acknowledged_sequence=0, last_sequence=0,
            connected=False, free_bytes=0, accepting=True,
        )  # fmt: skip
        self._uplink: UplinkThread | None = None
        self._downloads: Downloads | None = None
        self._meetings: Meetings | None = None
        self._pacer: Pacer | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set; then send what can be sent within two seconds."""
        url = self._settings.server_url
        jobs = [self._watch_outbox(), *(self._forward(ring) for ring in self._answers)]
        if not self._settings.lockstep:  # there, time stands while a client answers
            jobs.append(run_echo(self._readings.control, self._clock, self._mailbox))
            jobs.append(self._deliver_late())
        client: httpx.AsyncClient | None = None
        if url is not None:
            client = httpx.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer {self._settings.token}"},
                trust_env=False,
            )  # fmt: skip
            self._downloads = Downloads(
                client, self._settings.policy_folder, self._settings.task.name,
                offer=lambda ready: send(self._offers, ready),
                acting=self._acting_version, actor=self._actor, log=self._log.say,
            )  # fmt: skip
            self._uplink = UplinkThread(self._settings, self._log.say)
            video = Video(self._settings, self._clock, self._pool)
            say = self._log.say
            video_path = f"/api/live/robot/video?robot={quote(self._settings.cell.robot)}"
            jobs += [
                stay_connected(self._line(url, "/api/live/robot"), self._session, say),
                stay_connected(self._line(url, video_path), video.session, say),
                self._uplink.ended(),
            ]
            if self._settings.lockstep:
                self._meetings = Meetings(
                    self._settings, client, self._uplink, self._downloads,
                    online=lambda: self._online, log=self._log.say,
                )  # fmt: skip
            else:
                jobs.append(self._downloads.run())
        jobs.append(self._pace())
        tasks = [asyncio.create_task(job) for job in jobs]
        stop = asyncio.create_task(stopping.wait())
        try:
            done, _ = await asyncio.wait((*tasks, stop), return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stop}:
                task.result()  # none of them ends by itself: raise what ended it
        finally:
            self._clock.leave()
            if self._uplink is not None:
                await self._uplink.drain(FLUSH_S)
            for task in (*tasks, stop):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if client is not None:
                await client.aclose()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _line(self, server_url: str, path: str) -> Line:
        return Line(
            address=live_address(server_url, path),
            headers={"Authorization": f"Bearer {self._settings.token}"},
            refusal="the server refuses this robot's token: make a new one and start the daemon "
            "with it",
        )

    # ---- the durable path -----------------------------------------------------------------------

    async def _watch_outbox(self) -> None:
        """Publish how the durable path is doing, for the actor and for telemetry."""
        reader = None if self._settings.server_url else OutboxReader(self._settings.outbox_file)
        while True:
            self._publish_outbox(reader)
            await asyncio.sleep(TELEMETRY_S)

    def _publish_outbox(self, reader: OutboxReader | None) -> None:
        state = None if self._uplink is None else self._uplink.state
        counts = state.counts if state is not None else reader.counts() if reader else None
        free = free_bytes(self._settings.data_folder)
        last = counts.last if counts else 0
        pending = counts.pending if counts else 0
        recorded = int(self._readings.episode.read()["recorded_steps"])
        self._status = OutboxStatus(
            pending=pending,
            recorded_steps=recorded,
            acknowledged_sequence=last - pending,
            last_sequence=last,
            connected=state is not None and state.connected,
            free_bytes=free,
            accepting=free >= MIN_FREE_BYTES,
            set_aside=counts.set_aside if counts else 0,
            refill=state.refill if state else 0,
            lost=state.lost if state else 0,
        )
        status = self._status
        self._outbox.write(
            np.array(
                (status.pending, status.acknowledged_sequence, last, status.connected, free,
                 status.accepting, status.set_aside),
                topics.OUTBOX,
            )
        )  # fmt: skip

    def _actor(self) -> int:
        """When the actor process began; 0 before the first one."""
        return int(self._readings.episode.read()["born_ns"])

    def _acting_version(self) -> int | None:
        version = int(self._readings.episode.read()["policy_version"])
        return version if version >= 0 else None

    # ---- live: out ------------------------------------------------------------------------------

    async def _pace(self) -> None:
        if self._settings.lockstep:
            self._pacer = Pacer(
                self._settings, self._clock, self._pool, self._turns, self._mailbox,
                self._meetings, online=lambda: self._online, drain=self._drain_all,
                show=self._show, standing=lambda: (self._answered, *self._readings.standing()),
                log=self._log.say, late=self._late, deliver=self._deliver,
            )  # fmt: skip
            await self._pacer.run()
        while True:
            began = time.monotonic()
            self._show()
            await asyncio.sleep(max(TELEMETRY_S - (time.monotonic() - began), 0.001))

    def _show(self) -> None:
        """Put the newest telemetry and truth into the mailbox."""
        if not self._online:
            return
        telemetry = self._telemetry()
        if telemetry is not None:
            self._mailbox.show("telemetry", telemetry)
        truth = self._readings.truth()
        if truth is not None:
            self._mailbox.show("truth", truth)

    def _telemetry(self) -> Telemetry | None:
        seen = self._readings.snapshot(self._clock.now_ns())
        if seen is None:
            return None
        settings = self._settings
        return telemetry_of(
            seen,
            instructions=settings.task.reset.instructions,
            contacts=self._contacts,
            profiles=self._profiles,
            recorded=self._status,
        )

    async def _forward(self, ring: Ring) -> None:
        """Answers go out the moment they are there."""
        loop = asyncio.get_running_loop()
        while True:
            if await loop.run_in_executor(self._pool, ring.wait, _WAIT_S):
                self._drain(ring)

    def _drain_all(self) -> None:
        for ring in self._answers:
            self._drain(ring)

    def _drain(self, ring: Ring) -> None:
        for answer in receive(ring, _ANSWERS):
            self._answered += 1
            self._mailbox.answer(answer)

    async def _session(self, socket: ClientConnection) -> None:
        """One connection of the live socket, from hello to close."""
        settings = self._settings
        hello = RobotHello(
            robot=settings.cell.robot,
            task=settings.task.name,
            cell=settings.cell.name,
            arms=settings.task.acting_arms,
            cameras=tuple(settings.cell.cameras),
            failure_classes=settings.task.failure_classes,
            emergency_stop=settings.cell.emergency_stop,
            simulated=settings.cell.simulated,
            lockstep=settings.lockstep,
        )
        await socket.send(hello.model_dump_json())
        self._mailbox.empty()
        self._online = True
        if self._uplink is not None:
            self._uplink.look_again()
        sender = asyncio.create_task(self._send(socket))
        try:
            async for text in socket:
                self._take(text)
        finally:
            self._online = False
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            for client in tuple(self._turns.joined):  # nobody can answer a turn any more
                self._gone(client)

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            for text in await self._mailbox.take():
                await socket.send(text)

    # ---- live: in -------------------------------------------------------------------------------

    def _take(self, text: str | bytes) -> None:
        try:
            command = _COMMANDS.validate_json(text)
        except ValidationError as error:
            self._log.say(f"a command of the server cannot be read: {error.errors()[0]['msg']}")
            return
        match command:
            case FromClient() if self._late.send(command, self._clock.now_ns()):
                self._sent_late.set()
            case FromClient():
                self._router.route(command)
            case ClientGone():
                self._gone(command.client_id)
            case PolicyAnnounced() if self._downloads is not None and self._meetings is None:
                self._downloads.announce(command.policy)
            case LearnerHeard() if (
                self._meetings is not None and command.progress.task == self._settings.task.name
            ):
                self._meetings.hear(command.progress)
            case _:
                pass
        self._wake_pacer()

    async def _deliver_late(self) -> None:
        """In real time: hand over what arrives, when it does."""
        while True:
            due_ns = self._late.next_ns
            if due_ns is None:
                self._sent_late.clear()
                await self._sent_late.wait()
            else:
                await asyncio.sleep(max(due_ns - self._clock.now_ns(), 0) * 1e-9)
                self._deliver(self._clock.now_ns())

    def _deliver(self, now_ns: int) -> None:
        for command in self._late.arrived(now_ns):
            self._router.route(command)

    def _gone(self, client: UUID) -> None:
        self._late.forget(client)
        self._turns.leave(client)
        self._router.gone(client)
        self._wake_pacer()

    def _wake_pacer(self) -> None:
        if self._pacer is not None:
            self._pacer.moved.set()
