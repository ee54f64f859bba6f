"""Live traffic: browser ↔ server ↔ robot. Latest value wins; nothing here is durable.

Sockets (JSON text frames of these models, one model per frame; docs/architecture.md):

- `/api/live/robot`: the robot's link dials in with its token, sends `RobotMessage` and receives
  `RobotCommand`. `/api/live/robot/video`: it sends binary frames (robot_rl.schema.video).
- `/api/live/robots/{robot}`: a client (browser, scripted operator) sends `ClientMessage` and
  receives `ClientUpdate`. `/api/live/robots/{robot}/video`: it receives the binary frames.

The robot is the only authority over its mode and motion: commands are requests, and each one is
answered.
"""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import (
    PROTOCOL_VERSION,
    Message,
    Name,
    Quaternion,
    Text,
    Vector3,
    Vector6,
)
from robot_rl.schema.policy import LearnerProgress, PolicyVersion
from safety.faults import FaultCode
from safety.vocabulary import DriveFrame, Mode, Phase, Source

type Counter = Annotated[int, Field(ge=0, lt=2**63)]
"""What fits into the 64 bits that the robot keeps it in."""
type Seed = Annotated[int, Field(ge=0, lt=2**31)]


class EpisodeStage(StrEnum):
    """The pure machine in the actor."""

    READY = "ready"
    RUNNING = "running"
    AWAIT_LABEL = "await_label"
    RESETTING = "resetting"
    CONFIRM_RESET = "confirm_reset"


# ---- robot → server → clients -------------------------------------------------------------------


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
    """Control loop, last window. Times in µs."""

    period_p50_us: float
    period_p99_us: float
    period_max_us: float
    latency_p50_us: float
    latency_p99_us: float
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


class ArmTelemetry(Message):
    """One arm as measured; positions in its base frame."""

    tcp_position_m: Vector3
    tcp_quaternion_wxyz: Quaternion
    reference_position_m: Vector3
    tcp_twist: Vector6
    wrench: Vector6
    gripper_m: float
    force_n: float
    force_limit_n: float


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
    robot: str
    task: str
    cell: str
    arms: tuple[str, ...]  # those that the task moves: a person drives one of them at a time
    cameras: tuple[str, ...]
    failure_classes: tuple[str, ...] = ()  # of the task, in the order of the number keys
    emergency_stop: str  # where the hard-wired one is, in the cell's words
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


# ---- server → clients ---------------------------------------------------------------------------


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


# ---- clients → server → robot -------------------------------------------------------------------


class Drive(Message):
    """50 Hz while a person drives. Axes in −1 … 1; without the dead-man bit an explicit zero."""

    kind: Literal["drive"] = "drive"
    sequence: Counter
    lease_epoch: Counter
    echo_t_ns: Counter  # newest robot time seen (RobotTime, Telemetry); age = robot now − echo
    deadman: bool
    arm: Name | None = None  # which one is driven; None: the first that the task moves
    axes: Annotated[
        tuple[Annotated[float, Field(ge=-1, le=1)], ...], Field(min_length=6, max_length=6)
    ]
    gripper: Literal[-1, 0, 1] = 0
    frame: DriveFrame = DriveFrame.BASE
    speed_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    device: Name = "keyboard"


class Request(Message):
    """Base of everything that is answered with a CommandResult."""

    request_id: UUID
    echo_t_ns: Counter = 0


class AcquireLease(Request):
    """Granted at once when it is free. Otherwise its holder is asked, and the answer is a refusal
    that says so; a second answer to the same request follows when the matter is decided.

    An engineer may take it without asking, and gives the reason, which is recorded.
    """

    kind: Literal["acquire_lease"] = "acquire_lease"
    preempt: Name = ""  # the reason; empty: ask the holder


class AnswerLease(Request):
    """The holder's answer to somebody who asks for the lease (LeaseStatus.asked_by)."""

    kind: Literal["answer_lease"] = "answer_lease"
    consent: bool


class ReleaseLease(Request):
    """Give the lease up; from who waits for it: withdraw the request, which is then answered."""

    kind: Literal["release_lease"] = "release_lease"


class Takeover(Request):
    """Needs the lease and, within 500 ms, a drive message with the dead-man held."""

    kind: Literal["takeover"] = "takeover"
    device: Name
    reason: Name = ""


class EndTakeover(Request):
    """Give the robot back; what follows is the task's `post_intervention` rule."""

    kind: Literal["end_takeover"] = "end_takeover"


class MarkPhase(Request):
    kind: Literal["mark_phase"] = "mark_phase"
    phase: Phase


class StartEpisode(Request):
    """Start the next episode (and the policy, unless it is a demonstration, which waits for a
    takeover).
    """

    kind: Literal["start_episode"] = "start_episode"
    purpose: Purpose = Purpose.TRAINING
    seed: Seed | None = None
    policy_version: Counter | None = None  # None: the active version, following its updates


class Pause(Request):
    kind: Literal["pause"] = "pause"


class Resume(Request):
    kind: Literal["resume"] = "resume"


class Label(Request):
    """Ends a running episode with this outcome, or labels the one that waits for a label."""

    kind: Literal["label"] = "label"
    outcome: Outcome
    failure_class: Name | None = None
    note: Text = ""


class BeginReset(Request):
    kind: Literal["begin_reset"] = "begin_reset"
    seed: Seed | None = None


class ConfirmReset(Request):
    kind: Literal["confirm_reset"] = "confirm_reset"


class Stop(Request):
    """STOP ROBOT (software). Needs no lease, is never refused, latches."""

    kind: Literal["stop"] = "stop"


class Clear(Request):
    """Clear a latched stop or fault; refused while the cause persists; never starts motion."""

    kind: Literal["clear"] = "clear"


class JoinLockstep(Request):
    """Simulation in lock-step: virtual time waits for this client's `Ready` from now on."""

    kind: Literal["join_lockstep"] = "join_lockstep"


class LeaveLockstep(Request):
    kind: Literal["leave_lockstep"] = "leave_lockstep"


class Ready(Message):
    """Lock-step: this client has sent all it wants to say for the turn at `t_ns`."""

    kind: Literal["ready"] = "ready"
    t_ns: int


type ClientRequest = Annotated[
    AcquireLease
    | AnswerLease
    | ReleaseLease
    | Takeover
    | EndTakeover
    | MarkPhase
    | StartEpisode
    | Pause
    | Resume
    | Label
    | BeginReset
    | ConfirmReset
    | Stop
    | Clear
    | JoinLockstep
    | LeaveLockstep,
    Field(discriminator="kind"),
]

type ClientMessage = Annotated[
    Drive
    | Ready
    | AcquireLease
    | AnswerLease
    | ReleaseLease
    | Takeover
    | EndTakeover
    | MarkPhase
    | StartEpisode
    | Pause
    | Resume
    | Label
    | BeginReset
    | ConfirmReset
    | Stop
    | Clear
    | JoinLockstep
    | LeaveLockstep,
    Field(discriminator="kind"),
]


# ---- server → robot -----------------------------------------------------------------------------


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
