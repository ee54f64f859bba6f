"""What the processes of the robot PC say to one another, besides the live messages of
robot_rl.schema.

A ring record holds one message as JSON; `send` and `receive` are the only way in and out.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

import numpy as np
from pydantic import BaseModel, Field, TypeAdapter

from hardware.memory import Record, Ring
from robot_rl.daemon.topics import MESSAGE, MESSAGE_BYTES
from robot_rl.schema.episode import HandoverFigures
from robot_rl.schema.message import Message, Quaternion, Vector3
from safety.faults import FaultCode
from safety.vocabulary import Phase

# ---- actor → control ----------------------------------------------------------------------------


class BeginAutonomy(Message):
    """The episode runs and the policy may drive. `takeover_only`: a demonstration, nobody drives
    yet.
    """

    kind: Literal["begin_autonomy"] = "begin_autonomy"
    takeover_only: bool = False


class EndMotion(Message):
    """The episode ended: hold, also when a person drives."""

    kind: Literal["end_motion"] = "end_motion"
    reason: str


class GoHome(Message):
    """Drive to a start pose through the gate, up first; without one, to the task's own."""

    kind: Literal["go_home"] = "go_home"
    position_m: Vector3 | None = None
    quaternion_wxyz: Quaternion | None = None
    gripper: Literal[-1, 0, 1] | None = None  # None: as the task's reset says


type Intent = Annotated[BeginAutonomy | EndMotion | GoHome, Field(discriminator="kind")]

# ---- control → actor ----------------------------------------------------------------------------


class InterventionBegan(Message):
    kind: Literal["intervention_began"] = "intervention_began"
    intervention_id: UUID
    operator: str
    device: str
    reason: str
    t_ns: int


class InterventionOver(Message):
    """`why`: released, operator lost, paused, rewind, stop, fault, episode ended."""

    kind: Literal["intervention_over"] = "intervention_over"
    intervention_id: UUID
    why: str
    t_ns: int


class PhaseMarked(Message):
    kind: Literal["phase_marked"] = "phase_marked"
    intervention_id: UUID
    phase: Phase
    t_ns: int


class ModeChanged(Message):
    kind: Literal["mode_changed"] = "mode_changed"
    mode: str
    previous: str
    cause: str
    fault: FaultCode | None = None
    by: str
    t_ns: int


class LeasePreempted(Message):
    """Somebody took the lease from its holder without asking; `text` says who, whose and why."""

    kind: Literal["lease_preempted"] = "lease_preempted"
    by: str
    text: str
    t_ns: int


class LimitProfileChanged(Message):
    """A person switched a limit profile on or off; `text` says who, which, and what it tightens."""

    kind: Literal["limit_profile_changed"] = "limit_profile_changed"
    by: str
    text: str
    t_ns: int


class HandoverMeasured(Message):
    """Another source moves an arm, from `t_ns` on, and what that did."""

    kind: Literal["handover_measured"] = "handover_measured"
    figures: HandoverFigures
    t_ns: int


class HomeReached(Message):
    kind: Literal["home_reached"] = "home_reached"
    t_ns: int


class HomeMissed(Message):
    """The arm did not come to its start pose: one sentence that says why."""

    kind: Literal["home_missed"] = "home_missed"
    why: str
    t_ns: int


type ControlEvent = Annotated[
    InterventionBegan
    | InterventionOver
    | PhaseMarked
    | ModeChanged
    | LeasePreempted
    | LimitProfileChanged
    | HandoverMeasured
    | HomeReached
    | HomeMissed,
    Field(discriminator="kind"),
]

# ---- link → actor -------------------------------------------------------------------------------


class PolicyReady(Message):
    """A version is downloaded and verified in `folder`; the actor swaps at a safe boundary."""

    kind: Literal["policy_ready"] = "policy_ready"
    folder: str
    version: int
    sha256: str  # of its parts


def send(ring: Ring, message: BaseModel) -> bool:
    """Append a message; False when the ring is full. Raises ValueError when it is too large."""
    text = message.model_dump_json().encode()
    if len(text) > MESSAGE_BYTES:
        raise ValueError(f"{type(message).__name__} of {len(text)} bytes; {MESSAGE_BYTES} fit")
    record = np.zeros((), MESSAGE)
    record["size"] = len(text)
    record["text"] = text
    return ring.push(record)


def receive[M](ring: Ring, adapter: TypeAdapter[M]) -> list[M]:
    """Every message present now, oldest first."""
    return [adapter.validate_json(json_of(record)) for record in ring.drain()]


def json_of(record: Record) -> bytes:
    """The JSON of a record of such a ring."""
    text: Any = record["text"]
    return bytes(text)[: int(record["size"])]
