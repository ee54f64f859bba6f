"""Robot → server, and on to the clients."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.live.telemetry import Telemetry
from robot_rl.schema.message import (
    PROTOCOL_VERSION,
    CameraName,
    Message,
    Name,
    Quaternion,
    Text,
    Vector3,
)


class RobotTime(Message):
    """The robot's time, 50 times a second to the client that holds the lease, which echoes the
    newest in its commands: how old that is when a command arrives decides how fast it may drive.

    A message of its own: one that waited for telemetry would make every command look 50 ms older.
    Forwarded without a queue, the latest value wins. A client that answers at once, with a drive
    message, spends none of the age that is allowed on waiting for its own timer.
    """

    kind: Literal["robot_time"] = "robot_time"
    t_ns: int
    client_id: UUID


class CommandResult(Message):
    """The robot's answer to a request; `reason` is one plain sentence when it was refused."""

    kind: Literal["command_result"] = "command_result"
    request_id: UUID
    client_id: UUID
    command: str
    accepted: bool
    reason: str
    t_ns: int


class StopProgress(Message):
    """sent → acknowledged → motion stopped, as the robot saw it."""

    kind: Literal["stop_progress"] = "stop_progress"
    by: str
    received_t_ns: int
    braking_t_ns: int
    stopped_t_ns: int | None


class TruthObject(Message):
    name: str
    position_m: Vector3
    quaternion_wxyz: Quaternion


class SimulatorTruth(Message):
    """The simulator's true state; exists only in simulation, and only clients that ask with
    `truth=1` get it.
    """

    kind: Literal["simulator_truth"] = "simulator_truth"
    t_ns: int
    objects: tuple[TruthObject, ...]
    success: bool
    progress: float
    reset_count: int


class LockstepTurn(Message):
    """Lock-step only: the robot waits at `t_ns` for the clients that joined lock-step to answer."""

    kind: Literal["lockstep_turn"] = "lockstep_turn"
    t_ns: int


class RobotHello(Message):
    """First frame of the robot's link."""

    kind: Literal["robot_hello"] = "robot_hello"
    protocol: int = PROTOCOL_VERSION
    robot: Name
    task: Name
    cell: Name
    arms: tuple[Name, ...]  # those that the task moves: a person drives one of them at a time
    cameras: tuple[CameraName, ...]
    failure_classes: tuple[Name, ...] = ()  # of the task, in the order of the number keys
    emergency_stop: Text  # where the hard-wired one is, in the cell's words
    simulated: bool
    lockstep: bool


type RobotMessage = Annotated[
    RobotHello
    | Telemetry
    | RobotTime
    | CommandResult
    | StopProgress
    | SimulatorTruth
    | LockstepTurn,
    Field(discriminator="kind"),
]
