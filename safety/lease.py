"""The right to drive: one holder per robot, issued by the robot, with an epoch per holder.

A free lease is granted at once. A held one changes hands only at zero velocity, after the
holder's consent, a time-out, or a supervisor's pre-emption (which is audited). A holder who is
silent is suspended after 500 ms and loses the lease after 2 s. Ages are robot time now minus the
newest robot time the sender had seen, so no clock but the robot's decides.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

MS, SECOND = 1_000_000, 1_000_000_000
SPEED_BY_AGE = ((100 * MS, 1.0), (200 * MS, 0.5), (300 * MS, 0.25))
"""Up to what age a command counts for what share of the full speed, so that the way travelled
before a correction can act stays about equal. Age is one whole round trip."""
COMMAND_AGE_NS = SPEED_BY_AGE[-1][0]
"""An older command is dropped, and with such a round trip nobody may begin to drive."""
SILENCE_NS = 100 * MS
"""Longer silence between accepted messages, however old each is: ramp to zero and hold. No input of
a person counts that arrived longer ago, whichever device it came from. The arm must stand 200 ms
after the last message of a page that froze (fault 3); it needs 80 ms to stop."""
SUSPEND_NS = 500 * MS
RELEASE_NS = 2 * SECOND
REQUEST_AGE_NS = 2 * SECOND
"""A request that moves, or lets somebody move, must not be older."""
TRANSFER_TIMEOUT_NS = 5_000 * MS
"""A holder who does not answer a request in this time consents."""


class Admission(StrEnum):
    """What became of one command."""

    ACCEPTED = "accepted"
    NOT_HOLDER = "not_holder"
    OLD_EPOCH = "old_epoch"
    OUT_OF_ORDER = "out_of_order"
    TOO_OLD = "too_old"
    FROM_THE_FUTURE = "from_the_future"


class Transfer(StrEnum):
    """Why a pending transfer may go ahead."""

    WAITING = "waiting"
    CONSENT = "consent"
    TIME_OUT = "time_out"
    SUPERVISOR = "supervisor"


def speed_share(age_s: float) -> float:
    """Share of the full speed for a command of this age; 0 when it is too old or unknown (NaN)."""
    for limit_ns, share in SPEED_BY_AGE:
        if 0.0 <= age_s <= limit_ns * 1e-9:
            return share
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request for a lease that another one holds."""

    by: str
    deadline_ns: int
    transfer: Transfer = Transfer.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    holder: str | None = None
    epoch: int = 0
    heard_ns: int = 0
    """When the newest admitted message of the holder arrived."""
    sequence: int = -1
    suspended: bool = False
    pending: Pending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    by: str
    supervisor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The holder's answer to the pending request."""

    by: str
    consent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time passes. `at_rest` is judged by the measured TCP speed."""

    at_rest: bool


LeaseEvent = LeaseRequest | Answer | GiveUp | Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    to: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Tell the holder that somebody asks for the lease."""

    by: str
    holder: str
    deadline_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    to: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEnded:
    """The holder has lost or given up the lease."""

    holder: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldForTransfer:
    """A transfer is decided: bring the arm to rest, so that it can take place.

    Told again at every tick until then, so that motion that begins meanwhile cannot put it off.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    text: str


LeaseEffect = Granted | Asked | Denied | Suspended | LeaseEnded | HoldForTransfer | Audited
LeaseOutcome = tuple[LeaseState, tuple[LeaseEffect, ...]]


def step(state: LeaseState, event: LeaseEvent, now_ns: int) -> LeaseOutcome:
    """The whole lease machine."""
    match event:
        case LeaseRequest():
            return _request(state, event, now_ns)
        case Answer():
            return _answer(state, event)
        case GiveUp():
            return _give_up(state, event)
        case Tick():  # pragma: no branch
            return _tick(state, event, now_ns)


def admit(
    state: LeaseState, *, by: str, epoch: int, sequence: int, echoed_ns: int, now_ns: int
) -> tuple[LeaseState, Admission]:
    """Judge one message of a driver; an accepted one keeps the lease alive.

    `echoed_ns` is the newest robot time that the sender had seen when it sent the message.
    """
    if by != state.holder:
        return state, Admission.NOT_HOLDER
    if epoch != state.epoch:
        return state, Admission.OLD_EPOCH
    if sequence <= state.sequence:
        return state, Admission.OUT_OF_ORDER
    age_ns = now_ns - echoed_ns
    if age_ns < 0:
        return state, Admission.FROM_THE_FUTURE
    if age_ns > COMMAND_AGE_NS:
        return state, Admission.TOO_OLD
    heard = replace(state, heard_ns=now_ns, sequence=sequence, suspended=False)
    return heard, Admission.ACCEPTED


def timely(echoed_ns: int, now_ns: int) -> bool:
    """Whether a request is recent enough to be carried out, by the robot time that it echoes.

    A little ahead is in time as well: telemetry may leave while a tick is under way. Far ahead is
    the clock of a robot that has been started again since.
    """
    return abs(now_ns - echoed_ns) <= REQUEST_AGE_NS


def silent(state: LeaseState, now_ns: int) -> bool:
    """The holder's input no longer counts: hold."""
    return state.holder is None or now_ns - state.heard_ns > SILENCE_NS


def _grant(state: LeaseState, to: str, now_ns: int) -> LeaseOutcome:
    epoch = state.epoch + 1
    return LeaseState(holder=to, epoch=epoch, heard_ns=now_ns), (Granted(to=to, epoch=epoch),)


def _end(state: LeaseState, holder: str, cause: str) -> LeaseOutcome:
    """End the lease; whoever has asked for it gets it as soon as the arm is at rest."""
    ended = LeaseEnded(holder=holder, cause=cause)
    return LeaseState(epoch=state.epoch + 1, pending=state.pending), (ended,)


def _give_up(state: LeaseState, event: GiveUp) -> LeaseOutcome:
    if event.by == state.holder:
        return _end(state, event.by, "given up")
    if state.pending is not None and event.by == state.pending.by:
        return replace(state, pending=None), ()
    return _deny(state, event.by, "neither holds the lease nor has asked for it")


def _deny(state: LeaseState, to: str, reason: str) -> LeaseOutcome:
    return state, (Denied(to=to, reason=f"{to} {reason}."),)


def _request(state: LeaseState, event: LeaseRequest, now_ns: int) -> LeaseOutcome:
    waiting = state.pending
    if state.holder == event.by:
        return state, (Granted(to=event.by, epoch=state.epoch),)
    if waiting is not None and waiting.by != event.by and not event.supervisor:
        return _deny(state, event.by, f"has to wait: {waiting.by} has asked already")
    if state.holder is None:
        return _grant(state, event.by, now_ns)
    decided = waiting is not None and waiting.transfer is Transfer.SUPERVISOR
    if event.supervisor and not decided:
        pending = Pending(by=event.by, deadline_ns=now_ns, transfer=Transfer.SUPERVISOR)
        text = f"{event.by} pre-empted the lease of {state.holder} as supervisor."
        return replace(state, pending=pending), (Audited(text=text), HoldForTransfer())
    if waiting is not None:  # Asking again does not start the time-out anew.
        return state, ()
    pending = Pending(by=event.by, deadline_ns=now_ns + TRANSFER_TIMEOUT_NS)
    asked = Asked(by=event.by, holder=state.holder, deadline_ns=pending.deadline_ns)
    return replace(state, pending=pending), (asked,)


def _answer(state: LeaseState, event: Answer) -> LeaseOutcome:
    waiting = state.pending
    if waiting is None or event.by != state.holder:
        return _deny(state, event.by, "has no request to answer")
    if waiting.transfer is not Transfer.WAITING:
        return _deny(state, event.by, "cannot answer: the transfer is decided")
    if not event.consent:
        refused = Denied(to=waiting.by, reason=f"{event.by} keeps the lease.")
        return replace(state, pending=None), (refused,)
    return replace(state, pending=replace(waiting, transfer=Transfer.CONSENT)), (HoldForTransfer(),)


def _tick(state: LeaseState, event: Tick, now_ns: int) -> LeaseOutcome:
    holder, waiting = state.holder, state.pending
    if holder is None:
        if waiting is None:
            return state, ()
        if event.at_rest:
            return _grant(state, waiting.by, now_ns)
        return state, () if waiting.transfer is Transfer.WAITING else (HoldForTransfer(),)
    if waiting is not None and waiting.transfer is not Transfer.WAITING and event.at_rest:
        ended = LeaseEnded(holder=holder, cause=f"transfer by {waiting.transfer}")
        after, granted = _grant(state, waiting.by, now_ns)
        return after, (ended, *granted)
    silence_ns = now_ns - state.heard_ns
    if silence_ns > RELEASE_NS:
        return _end(state, holder, f"silent for {RELEASE_NS / SECOND:g} s")
    effects: tuple[LeaseEffect, ...] = ()
    if silence_ns > SUSPEND_NS and not state.suspended:
        state = replace(state, suspended=True)
        effects = (Suspended(holder=holder),)
    if waiting is None:
        return state, effects
    if waiting.transfer is not Transfer.WAITING:
        return state, (*effects, HoldForTransfer())
    if now_ns >= waiting.deadline_ns:
        pending = replace(waiting, transfer=Transfer.TIME_OUT)
        return replace(state, pending=pending), (*effects, HoldForTransfer())
    return state, effects
