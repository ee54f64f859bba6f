"""What a robot and a policy server say to one another: one WebSocket, each message one MessagePack
map of the fields below. The robot greets first; from then on it asks, one question at a time.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.message import Action, Message, Name, Text

POLICY_PROTOCOL = 1
"""Raised when a message below changes in a way that an older peer would misread."""
QUESTION_LIMIT_BYTES = 32 * 2**20
ANSWER_LIMIT_BYTES = 2**20
LONGEST_ANSWER = 1000
"""Actions."""

type Sequence = Annotated[int, Field(ge=0)]
type Jpeg = Annotated[bytes, Field(min_length=1, max_length=4 * 2**20)]


class PolicyHello(Message):
    """The robot's first message. `client`: the same robot keeps its id when it comes back."""

    kind: Literal["hello"] = "hello"
    protocol: int = POLICY_PROTOCOL
    client: UUID
    name: Name  # of the robot's PC, for people
    task: Name
    identity: DataIdentity  # of the task: robot_rl.config.identity.task_facts


class Serves(Message):
    """The server's first message: what its policy is, and what it must be given."""

    kind: Literal["serves"] = "serves"
    protocol: int = POLICY_PROTOCOL
    task: Name
    identity: DataIdentity
    action: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]  # columns
    cameras: Annotated[tuple[Name, ...], Field(max_length=16)]
    state: Annotated[tuple[Name, ...], Field(max_length=1000)]
    chunk: Annotated[int, Field(ge=1, le=LONGEST_ANSWER)]  # actions of an answer
    policy: Name  # which one, for people
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of the policy's files


class NotServed(Message):
    """In place of `Serves`: why this robot is not served. The connection ends. `later`: the same
    may succeed then. `busy_with`: the name of the robot that is served.
    """

    kind: Literal["not_served"] = "not_served"
    protocol: int = POLICY_PROTOCOL
    why: Text
    later: bool
    busy_with: Name | None = None


class PolicyQuestion(Message):
    """One observation. Images are the JPEGs as the robot stores them."""

    kind: Literal["question"] = "question"
    number: Sequence
    task_sha256: str  # DataIdentity.sha256 of the greeting
    t_ns: int  # robot clock
    begins: bool  # the first one of an episode: what was carried over is forgotten
    instruction: Text
    state: Annotated[dict[Name, float], Field(max_length=1000)]  # SI units
    jpegs: Annotated[dict[Name, Jpeg], Field(max_length=16)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]  # of the policy's noise
    deterministic: bool


class PolicyAnswer(Message):
    """A chunk for the question of this number."""

    kind: Literal["answer"] = "answer"
    number: Sequence
    actions: Annotated[tuple[Action, ...], Field(min_length=1, max_length=LONGEST_ANSWER)]
    took_s: Annotated[float, Field(ge=0)]


class PolicyCannotAnswer(Message):
    """The policy cannot decide on this observation."""

    kind: Literal["cannot_answer"] = "cannot_answer"
    number: Sequence
    why: Text


type ToPolicyServer = Annotated[PolicyHello | PolicyQuestion, Field(discriminator="kind")]
type FromPolicyServer = Annotated[
    Serves | NotServed | PolicyAnswer | PolicyCannotAnswer, Field(discriminator="kind")
]
TO_SERVER: TypeAdapter[ToPolicyServer] = TypeAdapter(ToPolicyServer)
FROM_SERVER: TypeAdapter[FromPolicyServer] = TypeAdapter(FromPolicyServer)
