"""What can go wrong, what the robot must then do, and how soon. Loads no numpy.

One table for control, console, documentation and tests. Rows 1 to 25 are the faults that the fault
tests inject; the rows without a number are further causes that control latches. Codes are recorded
and sent: never change one. "Hold" means that the measured TCP moves slower than 5 mm/s.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from safety.lease import RELEASE_NS, SECOND
from safety.vocabulary import ONLY_ARM


class FaultCode(StrEnum):
    """Stable name of each row of the fault table (docs/safety.md)."""

    OPERATOR_LOST = "operator_lost"
    OPERATOR_HALF_OPEN = "operator_half_open"
    PAGE_FROZEN = "page_frozen"
    TWO_TAKEOVERS = "two_takeovers"
    OLD_EPOCH = "old_epoch"
    LEARNER_LOST = "learner_lost"
    ACTOR_LOST = "actor_lost"
    INFERENCE_SLOW = "inference_slow"
    ACTION_INVALID = "action_invalid"
    TARGET_JUMP = "target_jump"
    TARGET_OUTSIDE = "target_outside"
    CRITIC_INVALID = "critic_invalid"
    LIMITER_FAILED = "limiter_failed"
    CONTROL_LOST = "control_lost"
    CONTROL_FROZEN = "control_frozen"
    SOFTWARE_STOP = "software_stop"
    CLEARED_EARLY = "cleared_early"
    ARM_STOPPED = "arm_stopped"
    CAMERA_LOST = "camera_lost"
    CAMERA_REPEATS = "camera_repeats"
    DEVICE_LOST = "device_lost"
    WALL_CLOCK_JUMP = "wall_clock_jump"
    DISK_FULL = "disk_full"
    POWER_CUT = "power_cut"
    NETWORK_CUT = "network_cut"
    ARM_SILENT = "arm_silent"
    ARM_UNUSABLE = "arm_unusable"
    CONTROL_SILENT = "control_silent"
    LATCH_UNREADABLE = "latch_unreadable"


class Unit(StrEnum):
    """What a bound is counted in."""

    MS = "ms"
    TICKS = "ticks"  # control periods
    DECISIONS = "decisions"  # of the policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The effect is there at the latest after this."""

    count: int
    unit: Unit = Unit.MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row."""

    code: FaultCode
    number: int | None
    cause: str
    effect: str
    bound: Bound | None = None
    latches: bool = False
    """The robot stays in FAULT or STOPPED until a person clears it."""
    told: str | None = None
    """The sentence for people, with its parameters in braces; None when there is none."""


_TABLE = (
    Fault(
        number=1,
        code=FaultCode.OPERATOR_LOST,
        cause="the driver's socket closes while the arm moves",
        effect=f"hold; lease released after {RELEASE_NS / SECOND:g} s; episode kept and marked",
        bound=Bound(count=200),
        told="The driver's connection was silent for {silent_ms:.0f} ms.",
    ),
    Fault(
        number=2,
        code=FaultCode.OPERATOR_HALF_OPEN,
        cause="the driver's packets stop arriving, but the connection stays open",
        effect="as fault 1",
        bound=Bound(count=300),
    ),
    Fault(
        number=3,
        code=FaultCode.PAGE_FROZEN,
        cause="the driver's tab is hidden or frozen",
        effect="the dead-man runs out; hold",
        bound=Bound(count=200),
    ),
    Fault(
        number=4,
        code=FaultCode.TWO_TAKEOVERS,
        cause="two people take over at the same time",
        effect="one gets the lease, the other is told who has it",
        bound=Bound(count=100),
        told="{holder} holds the lease; taking over needs it.",
    ),
    Fault(
        number=5,
        code=FaultCode.OLD_EPOCH,
        cause="a command of an earlier epoch arrives",
        effect="dropped and counted",
        bound=Bound(count=1, unit=Unit.TICKS),
    ),
    Fault(
        number=6,
        code=FaultCode.LEARNER_LOST,
        cause="the learner is killed",
        effect="the robot goes on; nothing recorded is lost",
    ),
    Fault(
        number=7,
        code=FaultCode.ACTOR_LOST,
        cause="the actor is killed or frozen",
        effect="hold where the last chunk ends",
        bound=Bound(count=100),
    ),
    Fault(
        number=8,
        code=FaultCode.INFERENCE_SLOW,
        cause="inference takes ten times as long as usual",
        effect="actions whose time has passed are skipped; then hold; no action is replayed",
    ),
    Fault(
        number=9,
        code=FaultCode.ACTION_INVALID,
        cause="an action is NaN, infinite or of the wrong shape",
        effect="rejected; hold; episode marked",
        bound=Bound(count=1, unit=Unit.TICKS),
        told="An action was not finite; the robot held.",
    ),
    Fault(
        number=10,
        code=FaultCode.TARGET_JUMP,
        cause="the target jumps by 1 m",
        effect="limits of speed, acceleration and jerk are never exceeded",
    ),
    Fault(
        number=11,
        code=FaultCode.TARGET_OUTSIDE,
        cause="the target lies outside the workspace",
        effect="clipped; the arm stays within the margin of the workspace box",
    ),
    Fault(
        number=12,
        code=FaultCode.CRITIC_INVALID,
        cause="the risk critic answers NaN, or late",
        effect="counted as risk 1",
        bound=Bound(count=2, unit=Unit.DECISIONS),
    ),
    Fault(
        number=13,
        code=FaultCode.LIMITER_FAILED,
        cause="the limiter finds no solution, or not in time",
        effect="braking takes its place",
        bound=Bound(count=1, unit=Unit.TICKS),
    ),
    Fault(
        number=14,
        code=FaultCode.CONTROL_LOST,
        cause="the control process is killed",
        effect="the arm's own watchdog brakes; the supervisor latches a stop; "
        "motion never restarts by itself",
        bound=Bound(count=200),
        latches=True,
        told="The process {process} ended unexpectedly ({how}).",
    ),
    Fault(
        number=15,
        code=FaultCode.CONTROL_FROZEN,
        cause="control stands still, then goes on",
        effect="latched; missed ticks are skipped, not caught up",
        bound=Bound(count=50),
        latches=True,
        told="Control stood still for {late_ms:.0f} ms; look at the load of this machine, "
        "then clear.",
    ),
    Fault(
        number=16,
        code=FaultCode.SOFTWARE_STOP,
        cause="a person presses the software stop",
        effect="braking begins; latched; survives a restart",
        bound=Bound(count=10),
        latches=True,
        told="Stopped by {by}.",
    ),
    Fault(
        number=17,
        code=FaultCode.CLEARED_EARLY,
        cause="a person clears while the cause persists",
        effect="refused, with the cause",
        told="It cannot be cleared while the cause persists: {cause}",
    ),
    Fault(
        number=18,
        code=FaultCode.ARM_STOPPED,
        cause="the arm stops itself (vendor stop, reflex, protective stop, its own watchdog)",
        effect="seen; the target becomes the measured pose; only a person resumes",
        bound=Bound(count=50),
        latches=True,
        told="{arm} stopped itself: {reason}.",
    ),
    Fault(
        number=19,
        code=FaultCode.CAMERA_LOST,
        cause="a camera is unplugged",
        effect="once its frame is older than 200 ms the policy holds and steps are marked; "
        "after 1 s no episode starts",
        bound=Bound(count=200),
        told="The camera {camera} delivers no fresh images; look at its cable and process.",
    ),
    Fault(
        number=20,
        code=FaultCode.CAMERA_REPEATS,
        cause="a camera delivers the same frame again and again",
        effect="as fault 19, judged by the frame number",
        bound=Bound(count=200),
    ),
    Fault(
        number=21,
        code=FaultCode.DEVICE_LOST,
        cause="a SpaceMouse is unplugged while it is deflected",
        effect="zero twist; hold",
        bound=Bound(count=100),
    ),
    Fault(
        number=22,
        code=FaultCode.WALL_CLOCK_JUMP,
        cause="the wall clock jumps by an hour",
        effect="control does not change; monotonic times are unaffected",
    ),
    Fault(
        number=23,
        code=FaultCode.DISK_FULL,
        cause="the disk is full or read-only",
        effect="the running episode is marked; no new one begins; control's jitter is unchanged",
        told="An episode could not be kept: {problem}.",
    ),
    Fault(
        number=24,
        code=FaultCode.POWER_CUT,
        cause="the power fails during an episode",
        effect="earlier episodes stay readable; the unfinished one is recovered or set aside",
    ),
    Fault(
        number=25,
        code=FaultCode.NETWORK_CUT,
        cause="the network fails for ten minutes, then comes back",
        effect="autonomy ends by the task's rule; nothing is stored twice, nothing is lost",
        told="Paused: nobody has attended the robot for {unattended_s:.0f} s.",
    ),
    Fault(
        number=None,
        code=FaultCode.ARM_SILENT,
        cause="the arm's measurements stop arriving",
        effect="hold",
        latches=True,
        told="{arm}'s measurements stopped arriving; see its process.",
    ),
    Fault(
        number=None,
        code=FaultCode.ARM_UNUSABLE,
        cause="the arm's measurements stay NaN or infinite, are no pose, or contradict its shape",
        effect="hold; an arm that sees it itself brakes at once",
        bound=Bound(count=50),
        latches=True,
        told="{arm}'s measurements cannot be used: {problem}; see its driver.",
    ),
    Fault(
        number=None,
        code=FaultCode.CONTROL_SILENT,
        cause="nothing has been heard of control",
        effect="shown as a fault; the arm holds by its own watchdog",
        bound=Bound(count=500),
        told="Control does not run; the arm holds by its own watchdog.",
    ),
    Fault(
        number=None,
        code=FaultCode.LATCH_UNREADABLE,
        cause="the file of the latch cannot be read at the start",
        effect="control starts stopped, as if a person had stopped it",
        latches=True,
        told="The file of the latch ({file}) cannot be read, so that the robot counts as stopped.",
    ),
)

FAULTS = MappingProxyType({fault.code: fault for fault in _TABLE})
"""Every row by its code, in the order of the table."""


def arm_called(name: str) -> str:
    """What sentences call an arm of a cell: `arm` of the faults that need it."""
    return "The arm" if name == ONLY_ARM else f"The arm {name}"


def sentence(code: FaultCode, **details: object) -> str:
    """What people are told. Raises ValueError for a row without a sentence, and KeyError when a
    parameter is missing.
    """
    told = FAULTS[code].told
    if told is None:
        raise ValueError(f"fault {code} has no sentence for people")
    return told.format(**details)


def bound_ms(code: FaultCode) -> int:
    """Raises ValueError for a row that has no bound in milliseconds."""
    bound = FAULTS[code].bound
    if bound is None or bound.unit is not Unit.MS:
        raise ValueError(f"fault {code} has no bound in milliseconds")
    return bound.count
