"""What the robot says about itself, 20 times a second."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.episode import Purpose
from robot_rl.schema.message import Message, Quaternion, Vector3, Vector6
from safety.faults import FaultCode
from safety.vocabulary import Mode, Phase, Source


class EpisodeStage(StrEnum):
    """The pure machine in the actor."""

    READY = "ready"
    RUNNING = "running"
    AWAIT_LABEL = "await_label"
    RESETTING = "resetting"
    CONFIRM_RESET = "confirm_reset"


class LeaseStatus(Message):
    epoch: int
    holder: str | None
    client_id: UUID | None
    suspended: bool
    since_s: float
    asked_by: str | None = None  # who asks the holder for it; see AnswerLease
    asked_client_id: UUID | None = None  # whose request that is; only it can withdraw it
    asked_s: float | None = None  # time left to answer; then it passes as if agreed


class LoopStatus(Message):
    """Control loop, last window. Times in µs; p999: 99.9 %. latency: from the deadline of a tick to
    its end. missed_ticks: since control started.
    """

    period_p50_us: float
    period_p99_us: float
    period_p999_us: float
    period_max_us: float
    latency_p50_us: float
    latency_p99_us: float
    latency_p999_us: float
    latency_max_us: float
    missed_ticks: int
    real_time_factor: float


class EpisodeStatus(Message):
    episode_id: UUID | None
    number: int  # episodes since the daemon started
    stage: EpisodeStage
    purpose: Purpose
    seed: int
    step: int
    max_steps: int
    human_steps: int
    interventions: int
    elapsed_s: float
    instructions: str  # what the person should do now (reset instructions), may be empty
    success_seen: bool  # the simulator or the classifier believes the task is done
    start_refusal: str = ""  # while ready: why no episode could start now; empty: it could


class OutboxStatus(Message):
    pending: int
    recorded_steps: int
    acknowledged_sequence: int
    last_sequence: int
    connected: bool
    free_bytes: int
    accepting: bool  # false: no new episode is started because it could not be kept
    set_aside: int = 0  # rows that the server refuses for good, kept on the robot's disk
    refill: int = 0  # rows that a restored server lacks, still to be sent again
    lost: int = 0  # rows that it lacks and the robot keeps no more


class ArmTelemetry(Message):
    """One arm as measured; positions in its base frame."""

    tcp_position_m: Vector3
    tcp_quaternion_wxyz: Quaternion
    reference_position_m: Vector3
    tcp_twist: Vector6
    wrench: Vector6
    gripper_m: float
    force_n: float
    force_limit_n: float  # at rest, by the clips in force now
    torque_nm: float = 0.0  # external, at the TCP; a robot of an older version does not say
    torque_limit_nm: float = 0.0


class RiskStatus(Message):
    """What the risk critic says of the newest decision, 0 … 1."""

    risk: float
    threshold: float | None  # above it the robot holds; None: the critic only warns
    held: bool  # it holds the robot now
    vetoes: int = 0  # in this episode; a robot of an older version does not say
    overrides: int = 0  # interventions in which a person did what it would have held back


class LimitProfileStatus(Message):
    """A limit profile of the cell: its button, and what it makes of the task's limits."""

    name: str
    text: str
    active: bool
    chosen_by: Literal["task", "instruction"] | None  # then no button switches it off
    speed_m_s: float | None  # None: it does not state a speed
    force_n: float | None  # at rest; None: it does not state a clip


class Telemetry(Message):
    """10–20 Hz. `t_ns` is the robot's clock; clients echo the newest they saw, see RobotTime."""

    kind: Literal["telemetry"] = "telemetry"
    t_ns: int
    mode: Mode
    cause: str
    fault: FaultCode | None = None  # what is latched; a robot of an older version does not say
    source: Source
    phase: Phase | None
    intervention_id: UUID | None
    lease: LeaseStatus
    arms: Annotated[dict[str, ArmTelemetry], Field(min_length=1)]  # by name, in the cell's order
    speed_m_s: float  # of the fastest arm
    speed_limit_m_s: float
    limits: tuple[str, ...]  # names of the limits acting now
    risk: RiskStatus | None = None  # None: no critic judges
    limit_profiles: tuple[LimitProfileStatus, ...] = ()  # of the cell, in its order
    policy_version: int | None
    inference_ms: float | None
    action_age_ms: float | None
    episode: EpisodeStatus
    loop: LoopStatus
    outbox: OutboxStatus
    frame_age_ms: dict[str, float]
    device_axes: Vector6 | None
    device_name: str | None
    round_trip_ms: float | None
    moving: bool
