"""Server → robot: clients' messages with who sent them, and what else the robot should hear."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.live.client_message import ClientMessage
from robot_rl.schema.message import Message
from robot_rl.schema.policy import LearnerProgress, PolicyVersion


class FromClient(Message):
    """A client's message, with who sent it as the server authenticated them."""

    kind: Literal["from_client"] = "from_client"
    client_id: UUID
    user: str
    message: ClientMessage


class ClientGone(Message):
    """A client's socket closed: its lease, if any, starts to run out."""

    kind: Literal["client_gone"] = "client_gone"
    client_id: UUID


class PolicyAnnounced(Message):
    """A new version is ready to be fetched."""

    kind: Literal["policy_announced"] = "policy_announced"
    policy: PolicyVersion


class LearnerHeard(Message):
    """The learner's progress; in lock-step the robot lets it fall behind by a fixed number of steps
    only.
    """

    kind: Literal["learner_heard"] = "learner_heard"
    progress: LearnerProgress


type RobotCommand = Annotated[
    FromClient | ClientGone | PolicyAnnounced | LearnerHeard, Field(discriminator="kind")
]
