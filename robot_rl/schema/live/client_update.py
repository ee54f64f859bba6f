"""Server → clients: what the robot says, and what the server adds."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.live.robot_message import (
    CommandResult,
    LockstepTurn,
    RobotTime,
    SimulatorTruth,
    StopProgress,
)
from robot_rl.schema.live.telemetry import Telemetry
from robot_rl.schema.message import PROTOCOL_VERSION, Message
from robot_rl.schema.policy import LearnerProgress, PolicyVersion


class RobotPresence(Message):
    kind: Literal["robot_presence"] = "robot_presence"
    robot: str
    connected: bool
    task: str
    arms: tuple[str, ...] = ()  # that a person can drive; empty as long as it has not said hello
    cameras: tuple[str, ...]
    failure_classes: tuple[str, ...] = ()
    emergency_stop: str  # empty as long as the robot has not said hello
    simulated: bool  # false as long as the robot has not said hello
    since_s: float


class TrainingStatus(Message):
    kind: Literal["training_status"] = "training_status"
    progress: LearnerProgress | None
    versions: tuple[PolicyVersion, ...]  # newest first, at most 20


class InterventionTrained(Message):
    """Sent when a version that contains an intervention first acts ("in policy 37, 1.8 s after you
    let go").
    """

    kind: Literal["intervention_trained"] = "intervention_trained"
    intervention_id: UUID
    operator: str
    version: int
    released_t_ns: int
    acting_t_ns: int
    latency_s: float


class ClientWelcome(Message):
    kind: Literal["client_welcome"] = "client_welcome"
    client_id: UUID
    user: str
    protocol: int = PROTOCOL_VERSION


class Problem(Message):
    """Something the server could not do with a client's frame: one plain sentence."""

    kind: Literal["problem"] = "problem"
    message: str


type ClientUpdate = Annotated[
    ClientWelcome
    | RobotPresence
    | Telemetry
    | RobotTime
    | CommandResult
    | StopProgress
    | SimulatorTruth
    | LockstepTurn
    | TrainingStatus
    | InterventionTrained
    | Problem,
    Field(discriminator="kind"),
]
