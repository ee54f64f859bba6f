"""Clients → server → robot: the stream of a driving person, and requests, each of them answered."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import Message, Name, Text
from safety.vocabulary import DriveFrame, Phase

type Counter = Annotated[int, Field(ge=0, lt=2**63)]
"""What fits into the 64 bits that the robot keeps it in."""


type Seed = Annotated[int, Field(ge=0, lt=2**31)]


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


class Rewind(Request):
    """Retrace the robot's last safe motion, as far as the task's `[rewind]` says; ends paused. The
    grippers stay as they are. While a person drives, only that person may ask.
    """

    kind: Literal["rewind"] = "rewind"


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


class SetLimitProfile(Request):
    """Switch a limit profile of the cell on, which needs no lease because it can only tighten, or
    off, which needs the lease. What the task or its instruction chose stays on.
    """

    kind: Literal["set_limit_profile"] = "set_limit_profile"
    profile: Name
    on: bool


class JoinLockstep(Request):
    """Simulation in lock-step: virtual time waits for this client's `Ready` from now on."""

    kind: Literal["join_lockstep"] = "join_lockstep"


class LeaveLockstep(Request):
    kind: Literal["leave_lockstep"] = "leave_lockstep"


class Ready(Message):
    """Lock-step: this client has sent all it wants to say for the turn at `t_ns`.

    One that only watches may name the next turn that it needs, at most a second ahead. It gets one
    earlier when there is news: an answer, another mode, stage, lease or episode.
    """

    kind: Literal["ready"] = "ready"
    t_ns: int
    next_t_ns: int | None = None  # None: the next there is


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
    | Rewind
    | Label
    | BeginReset
    | ConfirmReset
    | Stop
    | Clear
    | SetLimitProfile
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
    | Rewind
    | Label
    | BeginReset
    | ConfirmReset
    | Stop
    | Clear
    | SetLimitProfile
    | JoinLockstep
    | LeaveLockstep,
    Field(discriminator="kind"),
]
