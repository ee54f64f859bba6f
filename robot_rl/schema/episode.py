"""Episodes, interventions and the events around them, as they leave the robot."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.message import MAX_CAMERAS, CameraName, Count, Int64, Message, Name, Text
from safety.vocabulary import Source


class Outcome(StrEnum):
    """How an episode ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    ABORTED = "aborted"


class Purpose(StrEnum):
    """What an episode was recorded for. Only training and demonstration episodes enter training."""

    TRAINING = "training"
    EVALUATION = "evaluation"
    DEMONSTRATION = "demonstration"


class Provenance(Message):
    """What shaped the data; data of another identity is never mixed silently."""

    cell_sha256: Name
    task_sha256: Name
    calibration_sha256: Name
    code_version: Name
    identity: DataIdentity | None = None  # None in data from before it was kept

    @property
    def data_sha256(self) -> str:
        """What names the meaning of the data; without an identity, the files that it came from."""
        if self.identity is not None:
            return self.identity.sha256
        files = f"{self.task_sha256} {self.cell_sha256} {self.calibration_sha256}"
        return hashlib.sha256(files.encode()).hexdigest()


class EpisodeStarted(Message):
    kind: Literal["episode_started"] = "episode_started"
    episode_id: UUID
    run_id: UUID
    robot: Name
    task: Name
    instruction: Text
    purpose: Purpose
    seed: Int64
    step_s: float
    cameras: Annotated[tuple[CameraName, ...], Field(max_length=MAX_CAMERAS)]
    joints: Count
    operator: Name | None
    provenance: Provenance
    t_robot_ns: Int64
    t_utc: datetime


class EpisodeEnded(Message):
    """`steps` counts actions: the episode has steps + 1 records, unless it was cut off (`complete`
    false). `classifier_success`: what the success classifier made of its images, whoever labelled.
    """

    kind: Literal["episode_ended"] = "episode_ended"
    episode_id: UUID
    outcome: Outcome
    cause: Text
    labeller: Name  # operator name, "simulator", "classifier" or "robot"
    steps: Count
    human_steps: Count
    failure_class: Name | None = None
    note: Text = ""
    complete: bool = True
    # Left out where there was no classifier: recorded data stays the same.
    classifier_success: bool | None = Field(default=None, exclude_if=lambda value: value is None)
    t_robot_ns: Int64
    t_utc: datetime


class InterventionEnded(Message):
    kind: Literal["intervention_ended"] = "intervention_ended"
    intervention_id: UUID
    episode_id: UUID
    operator: Name
    device: Name
    reason: Text
    first_index: Count
    last_index: Count
    correction_steps: Count
    started_t_utc: datetime
    ended_t_utc: datetime
    ended_t_robot_ns: Int64


class RiskEvent(StrEnum):
    """What happened between the risk critic and people: codes of a SafetyEvent."""

    # It, or the want of it, held the policy back where it had moved before.
    VETO = "risk_veto"
    CLEARED = "risk_veto_cleared"  # a person took over from such a hold
    OVERRIDE = "risk_override"  # a person did what it would have held a policy back from


class SafetyEvent(Message):
    kind: Literal["safety_event"] = "safety_event"
    event_id: UUID
    episode_id: UUID | None
    # stop, preemption, reject, reset, rewind, limit_profile, a RiskEvent, or the FaultCode that
    # latched
    code: Name
    cause: Text
    by: Name
    t_robot_ns: Int64
    t_utc: datetime


class HandoverFigures(Message):
    """What a change of driver did to an arm: the largest of each in the first 200 ms after it.

    jump: how far the reference departs in one tick of control from its motion of the tick before.
    torque_step: of the fastest changing joint. force: measured at the TCP, N.
    """

    arm: Name
    before: Source
    after: Source
    jump_m: float
    jump_rad: float
    jerk_m_s3: float
    torque_step_nm_ms: float
    force_before_n: float
    force_n: float


class HandoverEnded(Message):
    """Another source moved an arm from `t_robot_ns` on."""

    kind: Literal["handover_ended"] = "handover_ended"
    handover_id: UUID
    episode_id: UUID | None
    figures: HandoverFigures
    t_robot_ns: Int64
    t_utc: datetime


class ResetEnded(Message):
    """The scene is ready for the next episode; `episode_id` is the one that was cleared away."""

    kind: Literal["reset_ended"] = "reset_ended"
    reset_id: UUID
    episode_id: UUID | None
    seed: Int64
    by: Name  # who confirmed it: operator name or "simulator"
    started_t_utc: datetime
    ended_t_utc: datetime


class PolicyActivated(Message):
    """The robot swapped to a policy version at a safe boundary."""

    kind: Literal["policy_activated"] = "policy_activated"
    version: Count
    sha256: Name
    episode_id: UUID | None
    t_robot_ns: Int64
    t_utc: datetime


type RobotEvent = Annotated[
    EpisodeStarted
    | EpisodeEnded
    | InterventionEnded
    | SafetyEvent
    | HandoverEnded
    | ResetEnded
    | PolicyActivated,
    Field(discriminator="kind"),
]
"""Everything but steps that the robot records for good."""
