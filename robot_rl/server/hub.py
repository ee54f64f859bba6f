"""The live hub: who is connected, and what goes to whom. No sockets, no database."""

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from robot_rl.schema.live.client_message import (
    AcquireLease,
    ClientMessage,
    Drive,
    JoinLockstep,
    LeaveLockstep,
    Ready,
    Stop,
)
from robot_rl.schema.live.client_update import (
    ClientWelcome,
    InterventionTrained,
    Problem,
    RobotPresence,
    TrainingStatus,
)
from robot_rl.schema.live.robot_command import ClientGone, FromClient, LearnerHeard, PolicyAnnounced
from robot_rl.schema.live.robot_message import (
    CommandResult,
    LockstepTurn,
    RobotHello,
    RobotMessage,
    RobotTime,
    SimulatorTruth,
    StopProgress,
)
from robot_rl.schema.live.telemetry import Telemetry
from robot_rl.schema.message import Message, new_id, utc_now
from robot_rl.schema.policy import LearnerProgress, PolicyVersion
from robot_rl.schema.video import VideoWanted
from robot_rl.server.access import Principal
from robot_rl.server.accounts.roles import MAY_DRIVE, MAY_PREEMPT
from robot_rl.server.mailbox import Mailbox

CLOSE_REPLACED = 4000
CLOSE_BAD_FRAME = 4001
CLOSE_SIGNED_OUT = 4003
CLOSE_OVERFLOW = 4008
CLOSE_STOPPING = 1012
CLIENT_QUEUE_LIMIT = 64  # requests of one client that a robot has not taken yet

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Client:
    """A browser or a scripted operator that looks at one robot."""

    client_id: UUID
    principal: Principal
    robot: str
    truth: bool
    since_t_utc: datetime = field(default_factory=utc_now)
    outgoing: Mailbox[str] = field(default_factory=Mailbox[str])
    lockstep: bool = False

    def send_latest(self, message: Message, frame: str | None = None) -> None:
        self.outgoing.put_latest(type(message), frame or message.model_dump_json())

    def send_queued(self, message: Message, frame: str | None = None) -> None:
        if not self.outgoing.put_queued(frame or message.model_dump_json()):
            self.outgoing.close(
                CLOSE_OVERFLOW, "this connection is too slow: answers piled up on the server"
            )


@dataclass(slots=True, kw_only=True, eq=False)
class RobotLink:
    """The connection of a robot's link."""

    hello: RobotHello
    outgoing: Mailbox[str] = field(default_factory=lambda: Mailbox[str](CLIENT_QUEUE_LIMIT))


@dataclass(slots=True, kw_only=True, eq=False)
class Viewer:
    """A video socket: one slot per camera."""

    robot: str
    outgoing: Mailbox[bytes] = field(default_factory=Mailbox[bytes])


@dataclass(slots=True, kw_only=True, eq=False)
class VideoSource:
    """The video socket of a robot's link, which hears whether anybody watches."""

    robot: str
    outgoing: Mailbox[str] = field(default_factory=Mailbox[str])

    def want(self, wanted: bool) -> None:
        self.outgoing.put_latest(VideoWanted, VideoWanted(wanted=wanted).model_dump_json())


@dataclass(slots=True, kw_only=True, eq=False)
class _Station:
    """Everything about one robot."""

    name: str
    since: float = field(default_factory=time.monotonic)
    link: RobotLink | None = None
    hello: RobotHello | None = None  # of the last link, when it has gone
    telemetry: str | None = None
    clients: set[Client] = field(default_factory=set)
    viewers: set[Viewer] = field(default_factory=set)
    sources: set[VideoSource] = field(default_factory=set)

    def presence(self) -> RobotPresence:
        return RobotPresence(
            robot=self.name,
            connected=self.link is not None,
            task=self.hello.task if self.hello else "",
            arms=self.hello.arms if self.hello else (),
            cameras=self.hello.cameras if self.hello else (),
            failure_classes=self.hello.failure_classes if self.hello else (),
            emergency_stop=self.hello.emergency_stop if self.hello else "",
            simulated=self.hello.simulated if self.hello else False,
            since_s=time.monotonic() - self.since,
        )


class Hub:
    """Telemetry and video by slot, answers by a bounded queue."""

    def __init__(self) -> None:
        self._stations: dict[str, _Station] = {}
        self._training: dict[str, TrainingStatus] = {}
        self._stopping = False

    def _station(self, robot: str) -> _Station:
        return self._stations.setdefault(robot, _Station(name=robot))

    def _tidy(self, station: _Station) -> None:
        """For a robot that never connected, only what a client waits for is kept."""
        used = station.clients or station.viewers or station.sources
        if station.hello is None and not used:
            self._stations.pop(station.name, None)

    # ---- robots ----------------------------------------------------------------------------------

    def join_robot(self, hello: RobotHello) -> RobotLink:
        """Closes an older link of the same robot, which lost its network and connects again."""
        station = self._station(hello.robot)
        link = RobotLink(hello=hello)
        if station.link is not None:
            station.link.outgoing.close(CLOSE_REPLACED, "the robot has connected again")
        station.link, station.hello, station.since = link, hello, time.monotonic()
        self._announce(station)
        if self._stopping:
            link.outgoing.close(CLOSE_STOPPING, "the server is stopping")
        training = self._training.get(hello.task)
        for client in station.clients:
            client.lockstep = False  # a new link knows of no joined client
            if training is not None:
                client.send_latest(training)
        _log.info("robot %s connected, task %s", hello.robot, hello.task)
        return link

    def leave_robot(self, link: RobotLink) -> None:
        station = self._station(link.hello.robot)
        if station.link is link:
            station.link, station.telemetry, station.since = None, None, time.monotonic()
            self._announce(station)
            _log.info("robot %s disconnected", link.hello.robot)

    def _announce(self, station: _Station) -> None:
        presence = station.presence()
        for client in station.clients:
            client.send_latest(presence)

    def from_robot(self, link: RobotLink, message: RobotMessage, frame: str) -> None:
        """Passes a robot's message on; `frame` is the text it came as, which is sent as it is."""
        station = self._station(link.hello.robot)
        match message:
            case Telemetry():
                station.telemetry = frame
                for client in station.clients:
                    client.send_latest(message, frame)
            case RobotTime():
                for client in station.clients:
                    if client.client_id == message.client_id:
                        client.send_latest(message, frame)
            case SimulatorTruth():
                for client in station.clients:
                    if client.truth:
                        client.send_latest(message, frame)
            case CommandResult():
                for client in station.clients:
                    if client.client_id == message.client_id:
                        client.send_queued(message, frame)
            case StopProgress():
                for client in station.clients:
                    client.send_queued(message, frame)
            case LockstepTurn():
                for client in station.clients:
                    if client.lockstep:
                        client.send_queued(message, frame)
            case RobotHello():
                link.outgoing.close(CLOSE_BAD_FRAME, "a robot says hello once")

    def join_video(self, robot: str) -> VideoSource:
        station = self._station(robot)
        source = VideoSource(robot=robot)
        source.want(bool(station.viewers))
        if self._stopping:
            source.outgoing.close(CLOSE_STOPPING, "the server is stopping")
        station.sources.add(source)
        return source

    def leave_video(self, source: VideoSource) -> None:
        station = self._station(source.robot)
        station.sources.discard(source)
        self._tidy(station)

    def video(self, robot: str, camera: str, frame: bytes) -> None:
        station = self._stations.get(robot)
        for viewer in station.viewers if station is not None else ():
            viewer.outgoing.put_latest(camera, frame)

    # ---- clients ---------------------------------------------------------------------------------

    def join_client(self, robot: str, principal: Principal, *, truth: bool) -> Client:
        station = self._station(robot)
        client = Client(client_id=new_id(), principal=principal, robot=robot, truth=truth)
        client.send_latest(ClientWelcome(client_id=client.client_id, user=principal.name))
        client.send_latest(station.presence())
        training = self._training.get(station.hello.task) if station.hello else None
        if training is not None:
            client.send_latest(training)
        if station.telemetry is not None:
            client.outgoing.put_latest(Telemetry, station.telemetry)
        if self._stopping:
            client.outgoing.close(CLOSE_STOPPING, "the server is stopping")
        station.clients.add(client)
        return client

    def leave_client(self, client: Client) -> None:
        station = self._station(client.robot)
        station.clients.discard(client)
        self._tidy(station)
        if station.link is not None:
            station.link.outgoing.put_latest(
                ("gone", client.client_id),
                ClientGone(client_id=client.client_id).model_dump_json(),
            )

    def from_client(self, client: Client, message: ClientMessage) -> bool:
        """Passes a client's message to the robot, which decides; here, only who may ask. Whether it
        went on.
        """
        is_stop = isinstance(message, Stop)
        if not is_stop and client.principal.role not in MAY_DRIVE:
            if isinstance(message, Drive | Ready):
                return False  # no request: every page says now and then that its dead-man is let go
            self.tell(client, f"a {client.principal.role} may watch and stop, and no more")
            return False
        preempts = isinstance(message, AcquireLease) and bool(message.preempt)
        if preempts and client.principal.role not in MAY_PREEMPT:
            self.tell(client, "only an engineer may take control from somebody without asking")
            return False
        link = self._station(client.robot).link
        if link is None:
            self.tell(client, f"robot {client.robot} is not connected")
            return False
        if isinstance(message, JoinLockstep):
            client.lockstep = True
        elif isinstance(message, LeaveLockstep):
            client.lockstep = False
        frame = FromClient(
            client_id=client.client_id, user=client.principal.name, message=message
        ).model_dump_json()
        if is_stop:  # a person's newest is enough: one slot each, however often they press
            link.outgoing.put_first((Stop, client.client_id), frame)
        elif isinstance(message, Drive | Ready):
            link.outgoing.put_latest((type(message), client.client_id), frame)
        elif not link.outgoing.put_queued(frame, client.client_id):
            self.tell(client, f"robot {client.robot} does not keep up; this was not sent to it")
            return False
        return True

    def tell(self, client: Client, problem: str) -> None:
        client.send_latest(Problem(message=problem))

    def join_viewer(self, robot: str) -> Viewer:
        viewer, station = Viewer(robot=robot), self._station(robot)
        station.viewers.add(viewer)
        for source in station.sources if len(station.viewers) == 1 else ():
            source.want(True)
        if self._stopping:
            viewer.outgoing.close(CLOSE_STOPPING, "the server is stopping")
        return viewer

    def leave_viewer(self, viewer: Viewer) -> None:
        station = self._station(viewer.robot)
        station.viewers.discard(viewer)
        for source in () if station.viewers else station.sources:
            source.want(False)
        self._tidy(station)

    # ---- learner and policies --------------------------------------------------------------------

    def announce_policy(self, policy: PolicyVersion) -> None:
        """Robots of the task fetch the newest of what was announced; older ones are skipped."""
        frame = PolicyAnnounced(policy=policy).model_dump_json()
        for station in self._of_task(policy.manifest.task):
            if station.link is not None:
                station.link.outgoing.put_latest(PolicyAnnounced, frame)

    def learner_heard(self, progress: LearnerProgress) -> None:
        frame = LearnerHeard(progress=progress).model_dump_json()
        for station in self._of_task(progress.task):
            if station.link is not None:
                station.link.outgoing.put_latest(LearnerHeard, frame)

    def show_training(self, task: str, status: TrainingStatus) -> None:
        self._training[task] = status
        frame = status.model_dump_json()
        for station in self._of_task(task):
            for client in station.clients:
                client.send_latest(status, frame)

    def training(self, task: str) -> TrainingStatus | None:
        return self._training.get(task)

    def intervention_trained(self, robot: str, trained: InterventionTrained) -> None:
        frame = trained.model_dump_json()
        station = self._stations.get(robot)
        for client in station.clients if station is not None else ():
            client.send_queued(trained, frame)

    def _of_task(self, task: str) -> list[_Station]:
        return [s for s in self._stations.values() if s.hello is not None and s.hello.task == task]

    # ---- all -------------------------------------------------------------------------------------

    def task_of(self, robot: str) -> str | None:
        """None as long as the robot has not said hello."""
        station = self._stations.get(robot)
        return None if station is None or station.hello is None else station.hello.task

    def presences(self) -> tuple[RobotPresence, ...]:
        return tuple(
            station.presence()
            for _, station in sorted(self._stations.items())
            if station.hello is not None
        )

    def stop(self) -> None:
        """Closes every connection, now and from now on."""
        self._stopping = True
        reason = "the server is stopping"
        for station in self._stations.values():
            if station.link is not None:
                station.link.outgoing.close(CLOSE_STOPPING, reason)
            for client in station.clients:
                client.outgoing.close(CLOSE_STOPPING, reason)
            for viewer in station.viewers:
                viewer.outgoing.close(CLOSE_STOPPING, reason)
            for source in station.sources:
                source.outgoing.close(CLOSE_STOPPING, reason)
