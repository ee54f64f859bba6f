"""A client of the public live API, as a browser is one: a WebSocket, requests that are answered."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from robot_rl.errors import PlainError
from robot_rl.schema.live.client_message import ClientMessage, Drive, Ready, Request
from robot_rl.schema.live.client_update import (
    ClientUpdate,
    ClientWelcome,
    InterventionTrained,
    Problem,
    TrainingStatus,
)
from robot_rl.schema.live.robot_message import (
    CommandResult,
    LockstepTurn,
    RobotTime,
    SimulatorTruth,
)
from robot_rl.schema.live.telemetry import Telemetry
from robot_rl.schema.message import new_id
from robot_rl.schema.policy import LearnerProgress

RESTARTED_NS = 1_000_000_000
_UPDATE: TypeAdapter[ClientUpdate] = TypeAdapter(ClientUpdate)
_MESSAGE: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


class LiveLost(PlainError):
    """The live connection ended, or an answer did not come."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """The newest of everything the robot has said."""

    welcome: ClientWelcome | None = None
    telemetry: Telemetry | None = None
    robot_ns: int = 0  # newest robot time, which every command echoes
    truth: SimulatorTruth | None = None
    training: TrainingStatus | None = None
    turn_t_ns: int | None = None  # a lock-step turn that waits for our answer
    answers: dict[UUID, CommandResult] = field(default_factory=dict[UUID, CommandResult])
    trained: list[InterventionTrained] = field(default_factory=list[InterventionTrained])

    @property
    def offline(self) -> LearnerProgress | None:
        """How far the learner is while it learns offline; the robot may wait for that."""
        progress = None if self.training is None else self.training.progress
        return progress if progress is not None and progress.offline else None

    def observe_time(self, t_ns: int) -> None:
        """Telemetry may come a little after a newer time; far back is a robot started again."""
        restarted = t_ns < self.robot_ns - RESTARTED_NS
        self.robot_ns = t_ns if restarted else max(self.robot_ns, t_ns)


class LiveClient:
    """Blocking and single-threaded: `pump` reads what has come, `send` and `request` write."""

    def __init__(self, server_url: str, robot: str, token: str, *, truth: bool) -> None:
        base = server_url.replace("http", "ws", 1)
        address = f"{base}/api/live/robots/{robot}" + ("?truth=1" if truth else "")
        self._open = ExitStack()
        try:
            self._socket: ClientConnection = self._open.enter_context(
                connect(
                    address,
                    additional_headers={"Authorization": f"Bearer {token}"},
                    open_timeout=10,
                    compression=None,
                    max_size=4 * 2**20,
                )
            )
        except (OSError, TimeoutError) as error:
            raise LiveLost(f"no live connection to {address}: {error}") from error
        self.seen = Seen()
        self._sequence = 0

    def pump(self, timeout_s: float) -> bool:
        """Read one update, waiting at most `timeout_s`; False when none came. Raises LiveLost."""
        try:
            text = self._socket.recv(timeout=timeout_s)
        except TimeoutError:
            return False
        except ConnectionClosed as error:
            raise LiveLost(f"the server closed the live connection: {error}") from error
        update = _UPDATE.validate_json(text)
        match update:
            case Telemetry():
                self.seen.telemetry = update
                self.seen.observe_time(update.t_ns)
            case RobotTime():
                self.seen.observe_time(update.t_ns)
            case SimulatorTruth():
                self.seen.truth = update
            case LockstepTurn():
                self.seen.turn_t_ns = update.t_ns
            case CommandResult():
                self.seen.answers[update.request_id] = update
            case TrainingStatus():
                self.seen.training = update
            case InterventionTrained():
                self.seen.trained.append(update)
            case ClientWelcome():
                self.seen.welcome = update
            case Problem():
                raise LiveLost(f"the server refused a message: {update.message}")
            case _:
                pass
        return True

    def send(self, message: ClientMessage) -> None:
        """Raises LiveLost."""
        try:
            self._socket.send(_MESSAGE.dump_json(message).decode())
        except ConnectionClosed as error:
            raise LiveLost(f"the server closed the live connection: {error}") from error

    def drive(self, **what: Any) -> None:
        """A drive message under the present lease, echoing the newest robot time."""
        telemetry = self.seen.telemetry
        if telemetry is None:
            return
        self._sequence += 1
        self.send(
            Drive(
                sequence=self._sequence,
                lease_epoch=telemetry.lease.epoch,
                echo_t_ns=self.seen.robot_ns,
                **what,
            )
        )

    def post[R: Request](self, kind: type[R], **what: Any) -> UUID:
        """Send a request without waiting for its answer; returns its id."""
        request_id = new_id()
        message: Any = kind(request_id=request_id, echo_t_ns=self.seen.robot_ns, **what)
        self.send(message)
        return request_id

    def answer(self, request_id: UUID) -> CommandResult | None:
        """The answer to a request, once it has come."""
        return self.seen.answers.pop(request_id, None)

    def request[R: Request](self, kind: type[R], timeout_s: float = 10.0, **what: Any) -> None:
        """Send a request and wait until the robot has accepted it. Raises LiveLost.

        Outside of lock-step turns only: in lock-step the robot answers when time goes on.
        """
        request_id = self.post(kind, **what)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.pump(0.1)
            result = self.answer(request_id)
            if result is not None:
                if not result.accepted:
                    raise LiveLost(f"the robot refused {result.command}: {result.reason}")
                return
        raise LiveLost(f"the robot did not answer {kind.__name__} within {timeout_s:.0f} s")

    def ready(self, rest_ns: int = 0) -> None:
        """Lock-step: we have said all we want to say in this turn, and without news we need none
        for `rest_ns`.
        """
        turn_ns = self.seen.turn_t_ns
        if turn_ns is not None:
            self.send(Ready(t_ns=turn_ns, next_t_ns=turn_ns + rest_ns if rest_ns else None))
            self.seen.turn_t_ns = None

    def close(self) -> None:
        self._open.close()
