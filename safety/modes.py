"""Modes of the robot: one pure function, `step(state, event, now_ns) -> (state, effects)`.

IDLE holds. AUTONOMOUS follows the policy. TAKEOVER follows a person (phase recovery, then
correction). PAUSED holds with the task kept. RESETTING follows the reset routine. REWINDING
retraces the robot's own last motion and leads to PAUSED. STOPPED and FAULT are latched; clearing is
a person's act, leads to IDLE and never starts motion. Losing a person, a network or a process never
leads to AUTONOMOUS, and neither does a rewind.

Every change of mode starts a new epoch, so that no command outlives the authority it had.
"""

import math
from dataclasses import dataclass, replace

from safety.faults import FaultCode, sentence
from safety.lease import COMMAND_AGE_NS, SUSPEND_NS
from safety.vocabulary import LATCHED, MOVING, Mode, Phase

REWINDS_FROM = (Mode.AUTONOMOUS, Mode.TAKEOVER, Mode.PAUSED)

NEW_TAKEOVER_ROUND_TRIP_S = COMMAND_AGE_NS * 1e-9
"""Above this round trip nobody may start to drive (docs/safety.md, lease, age and silence)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeState:
    """The mode and who or what is behind it."""

    mode: Mode = Mode.IDLE
    epoch: int = 1
    since_ns: int = 0
    phase: Phase | None = None
    holder: str | None = None
    """Who drives; set in TAKEOVER only."""
    device: str | None = None
    stopped_by: str | None = None
    cause: str | None = None
    """Cause of the fault or the pause, as a sentence for people."""
    fault: FaultCode | None = None
    """What was latched, with `cause`. None without one, and for a latch of an older version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAutonomy:
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    holder: str
    device: str
    has_lease: bool
    dead_man: bool
    round_trip_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The driver lets go. `resume` is the task's `post_intervention` (False ends the episode)."""

    holder: str
    resume: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequested:
    """`cause`: a sentence for people; without one, who asked for it is the cause."""

    by: str
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequested:
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetBegun:
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetDone:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindBegun:
    """A person, or the rule for an alarm, lets the robot retrace its last motion; its end is a
    `PauseRequested`.
    """

    by: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The episode is over, or the reset was given up: hold in IDLE, whoever drove."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearRequested:
    """A person clears the latch. `cause` is what still prevents it, as found now, or None."""

    by: str
    cause: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseFault:
    fault: FaultCode
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkCorrection:
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSuspended:
    """The driver has been silent for 500 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """The driver's lease ended: silent for 2 s, given up, or taken by another."""


Event = (
    StartAutonomy
    | TakeOver
    | Release
    | PauseRequested
    | ResumeRequested
    | ResetBegun
    | ResetDone
    | RewindBegun
    | Finish
    | StopRequested
    | ClearRequested
    | RaiseFault
    | MarkCorrection
    | LeaseSuspended
    | LeaseLost
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The mode changed: commands of older epochs are void and the policy's chunk is dropped."""

    before: Mode
    after: Mode
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropChunk:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayReference:
    """Bumpless takeover: let the reference decay to the measured pose, velocity kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldStill:
    """Decelerate to a hold until a fresh command of the new epoch arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """What outlives control: who stopped the robot, and the cause of its fault. None: not."""

    stopped_by: str | None = None
    cause: str | None = None
    fault: FaultCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistLatch:
    """Write the latch to disk, so that it survives a restart."""

    latch: Latch


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRefused:
    reason: str


Effect = Changed | DropChunk | DecayReference | HoldStill | PersistLatch | EventRefused
Outcome = tuple[ModeState, tuple[Effect, ...]]


def initial(now_ns: int, *, epoch: int, latch: Latch) -> ModeState:
    """State at start-up: IDLE, or STOPPED or FAULT when the latch on disk says so."""
    mode = Mode.IDLE if latch.cause is None else Mode.FAULT
    return ModeState(
        mode=mode if latch.stopped_by is None else Mode.STOPPED,
        epoch=epoch,
        since_ns=now_ns,
        stopped_by=latch.stopped_by,
        cause=latch.cause,
        fault=latch.fault,
    )


def step(state: ModeState, event: Event, now_ns: int) -> Outcome:
    """The whole mode machine. Refused events leave the state as it is and say why."""
    match event:
        case StopRequested():
            return _stop(state, event, now_ns)
        case RaiseFault():
            return _fault(state, event, now_ns)
        case ClearRequested():
            return _clear(state, event, now_ns)
        case LeaseSuspended():
            return _lost(state, _OPERATOR_SILENT, now_ns)
        case LeaseLost():
            return _lost(state, "The driver's lease ended.", now_ns)
        case _ if state.mode in LATCHED:
            return _refuse(state, f"{_latch_sentence(state)} Clear it first.")
        case StartAutonomy():
            return _start(state, now_ns)
        case TakeOver():
            return _take_over(state, event, now_ns)
        case Release():
            return _release(state, event, now_ns)
        case MarkCorrection():
            return _mark_correction(state, event)
        case PauseRequested():
            return _pause(state, event, now_ns)
        case ResumeRequested():
            return _resume(state, now_ns)
        case ResetBegun():
            return _begin_reset(state, now_ns)
        case ResetDone():
            return _reset_done(state, now_ns)
        case RewindBegun():
            return _begin_rewind(state, event, now_ns)
        case Finish():  # pragma: no branch
            return _finish(state, event, now_ns)


_OPERATOR_SILENT = sentence(FaultCode.OPERATOR_LOST, silent_ms=SUSPEND_NS / 1e6)


def _enter(state: ModeState, mode: Mode, now_ns: int, *effects: Effect) -> Outcome:
    """Enter a mode with a new epoch; who drove and why is forgotten, a stop is not."""
    epoch = state.epoch + 1
    after = ModeState(mode=mode, epoch=epoch, since_ns=now_ns, stopped_by=state.stopped_by)
    changed = Changed(before=state.mode, after=mode, epoch=epoch)
    return after, (changed, DropChunk(), *effects)


def _refuse(state: ModeState, reason: str) -> Outcome:
    return state, (EventRefused(reason=reason),)


def _latch_sentence(state: ModeState) -> str:
    if state.mode is Mode.STOPPED:
        return f"The robot was stopped by {state.stopped_by}."
    return f"The robot has a fault: {state.cause}"


def _stop(state: ModeState, event: StopRequested, now_ns: int) -> Outcome:
    if state.mode is Mode.STOPPED:
        return state, ()
    after, effects = _enter(state, Mode.STOPPED, now_ns, HoldStill())
    if state.mode is Mode.FAULT:
        after = replace(after, cause=state.cause, fault=state.fault)
    after = replace(after, stopped_by=event.by)
    return after, (*effects, _persist(after))


def _fault(state: ModeState, event: RaiseFault, now_ns: int) -> Outcome:
    if state.mode in LATCHED:  # The first cause is the one to mend; a stop stays a stop.
        if state.cause is not None:
            return state, ()
        after = replace(state, cause=event.cause, fault=event.fault)
        return after, (_persist(after),)
    after, effects = _enter(state, Mode.FAULT, now_ns, HoldStill())
    after = replace(after, cause=event.cause, fault=event.fault)
    return after, (*effects, _persist(after))


def _persist(state: ModeState) -> PersistLatch:
    return PersistLatch(
        latch=Latch(stopped_by=state.stopped_by, cause=state.cause, fault=state.fault)
    )


def _clear(state: ModeState, event: ClearRequested, now_ns: int) -> Outcome:
    if state.mode not in LATCHED:
        return _refuse(state, f"There is nothing to clear: the robot is {state.mode}.")
    if event.cause is not None:
        return _refuse(state, sentence(FaultCode.CLEARED_EARLY, cause=event.cause))
    after, effects = _enter(state, Mode.IDLE, now_ns, HoldStill())
    after = replace(after, stopped_by=None)
    return after, (*effects, _persist(after))


def _lost(state: ModeState, cause: str, now_ns: int) -> Outcome:
    if state.mode is not Mode.TAKEOVER:
        return state, ()
    after, effects = _enter(state, Mode.PAUSED, now_ns, HoldStill())
    return replace(after, cause=cause), effects


def _start(state: ModeState, now_ns: int) -> Outcome:
    if state.mode is not Mode.IDLE:
        return _refuse(state, f"Autonomy starts from idle only; the robot is {state.mode}.")
    return _enter(state, Mode.AUTONOMOUS, now_ns, HoldStill())


def _take_over(state: ModeState, event: TakeOver, now_ns: int) -> Outcome:
    if state.mode is Mode.TAKEOVER:
        if event.holder == state.holder:
            return state, ()
        return _refuse(state, f"{state.holder} is driving; ask for the lease.")
    if not event.has_lease:
        return _refuse(state, "Taking over needs the lease; request it first.")
    # Written so that a round trip of NaN (never measured) is refused too.
    if not (math.isfinite(event.round_trip_s) and event.round_trip_s <= NEW_TAKEOVER_ROUND_TRIP_S):
        known = math.isfinite(event.round_trip_s)
        measured = f"{event.round_trip_s * 1e3:.0f} ms" if known else "not known yet"
        return _refuse(
            state,
            f"The round trip is {measured}; taking over needs "
            f"{NEW_TAKEOVER_ROUND_TRIP_S * 1e3:.0f} ms or less.",
        )
    if not event.dead_man:
        return _refuse(state, "Taking over needs the dead-man held.")
    after, effects = _enter(state, Mode.TAKEOVER, now_ns, DecayReference())
    return (
        replace(after, phase=Phase.RECOVERY, holder=event.holder, device=event.device),
        effects,
    )


def _not_driving(state: ModeState, holder: str) -> str | None:
    if state.mode is not Mode.TAKEOVER:
        return f"Nobody is driving; the robot is {state.mode}."
    if holder != state.holder:
        return f"{state.holder} is driving, not {holder}."
    return None


def _release(state: ModeState, event: Release, now_ns: int) -> Outcome:
    if reason := _not_driving(state, event.holder):
        return _refuse(state, reason)
    # Holding until a fresh observation has been inferred: the new epoch voids what is in flight.
    mode = Mode.AUTONOMOUS if event.resume else Mode.IDLE
    return _enter(state, mode, now_ns, HoldStill())


def _mark_correction(state: ModeState, event: MarkCorrection) -> Outcome:
    if reason := _not_driving(state, event.holder):
        return _refuse(state, reason)
    return replace(state, phase=Phase.CORRECTION), ()


def _pause(state: ModeState, event: PauseRequested, now_ns: int) -> Outcome:
    if state.mode is Mode.PAUSED:
        return state, ()
    if state.mode not in MOVING:
        return _refuse(state, f"There is nothing to pause: the robot is {state.mode}.")
    after, effects = _enter(state, Mode.PAUSED, now_ns, HoldStill())
    return replace(after, cause=event.cause or f"Paused by {event.by}."), effects


def _resume(state: ModeState, now_ns: int) -> Outcome:
    if state.mode is not Mode.PAUSED:
        return _refuse(state, f"Only a paused robot resumes; the robot is {state.mode}.")
    return _enter(state, Mode.AUTONOMOUS, now_ns, HoldStill())


def _begin_reset(state: ModeState, now_ns: int) -> Outcome:
    if state.mode not in (Mode.IDLE, Mode.AUTONOMOUS, Mode.PAUSED):
        return _refuse(
            state, f"A reset begins from idle, autonomous or paused; the robot is {state.mode}."
        )
    return _enter(state, Mode.RESETTING, now_ns, HoldStill())


def _reset_done(state: ModeState, now_ns: int) -> Outcome:
    if state.mode is not Mode.RESETTING:
        return _refuse(state, f"No reset is running; the robot is {state.mode}.")
    return _enter(state, Mode.IDLE, now_ns, HoldStill())


def _begin_rewind(state: ModeState, event: RewindBegun, now_ns: int) -> Outcome:
    if state.mode is Mode.TAKEOVER and event.by != state.holder:
        return _refuse(state, f"{state.holder} is driving; only {state.holder} may rewind.")
    if state.mode not in REWINDS_FROM:
        return _refuse(
            state,
            f"A rewind begins from autonomous, takeover or paused; the robot is {state.mode}.",
        )
    after, effects = _enter(state, Mode.REWINDING, now_ns, HoldStill())
    return replace(after, cause=event.cause), effects


def _finish(state: ModeState, event: Finish, now_ns: int) -> Outcome:
    if state.mode is Mode.IDLE:
        return state, ()
    after, effects = _enter(state, Mode.IDLE, now_ns, HoldStill())
    return replace(after, cause=event.cause), effects
