"""Who may move the robot: lease, mode and takeover, as requests, intents and time arrive.

No input or output. Everything is answered: what is refused says why in one sentence. Results,
events and latch changes pile up in lists that the process drains once per tick.
"""

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from robot_rl.daemon.control_sentences import by_name, not_for_control
from robot_rl.daemon.messages import (
    BeginAutonomy,
    ControlEvent,
    EndMotion,
    GoHome,
    HomeMissed,
    Intent,
    InterventionBegan,
    InterventionOver,
    LeasePreempted,
    ModeChanged,
    PhaseMarked,
)
from robot_rl.daemon.request_age import too_late
from robot_rl.schema import live
from robot_rl.schema.message import new_id
from robot_rl.schema.step import Phase
from safety import lease as leases
from safety import modes
from safety.modes import Mode, ModeState

TAKEOVER_WAIT_NS = 500_000_000
"""How long a takeover waits for the dead-man (schema.live.Takeover)."""
REST_M_S = 0.005
"""Below this TCP speed the arm is at rest (SAFETY: hold)."""


class Running(StrEnum):
    """What the actor has going on; without an episode nothing returns to autonomy."""

    NOTHING = "nothing"
    EPISODE = "episode"
    DEMONSTRATION = "demonstration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """A software stop on its way: received → braking → stopped."""

    by: str
    received_ns: int
    braking_ns: int | None = None
    stopped_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a person's device says now: the remote one (browser), or one at the robot."""

    device: str
    dead_man: bool
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    intervention_id: UUID
    client_id: UUID
    operator: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _WaitingTakeover:
    sender: live.FromClient
    request: live.Takeover
    deadline_ns: int


@dataclass(slots=True, kw_only=True)
class Outbound:
    """What has to leave control after this tick."""

    results: list[live.CommandResult | live.StopProgress] = field(default_factory=list)
    events: list[ControlEvent] = field(default_factory=list)
    latch: list[modes.Latch] = field(default_factory=list)
    effects: list[modes.Effect] = field(default_factory=list)  # for the gate and the chunk plan
    go_home: GoHome | None = None
    clear_arm: bool = False


class Authority:
    """State: the mode, the lease, the present intervention, the stop on its way."""

    def __init__(self, mode: ModeState, *, resumes: bool, unattended_ns: int | None = None) -> None:
        self.mode = mode
        self.lease = leases.LeaseState()
        self.lease_client: UUID | None = None
        self.lease_user = ""
        self.lease_since_ns = 0
        self.round_trip_s = math.nan
        self.running = Running.NOTHING
        self.intervention: Intervention | None = None
        self.stopping: Stopping | None = None
        self.out = Outbound()
        self._resumes, self._unattended_ns = resumes, unattended_ns
        self._attended_ns = mode.since_ns
        self._waiting: _WaitingTakeover | None = None
        self.asked: live.FromClient | None = None  # who waits for the lease, and its request

    def drain(self) -> Outbound:
        out, self.out = self.out, Outbound()
        return out

    # ---- messages -----------------------------------------------------------------------------

    def request(self, sender: live.FromClient, now_ns: int, clear_cause: str | None) -> None:
        """Carry out or refuse a request. `clear_cause`: what keeps a latch from being cleared."""
        message = sender.message
        if late := too_late(message, now_ns):
            self._answer(sender, late, now_ns)
            return
        match message:
            case live.Stop():
                reason = self._stop(sender, now_ns)
            case live.AcquireLease():
                reason = self._acquire(sender, message.preempt, now_ns)
            case live.AnswerLease(consent=consent):
                answer = leases.Answer(by=str(sender.client_id), consent=consent)
                reason = self._lease_step(answer, now_ns, asker=sender)
            case live.ReleaseLease():
                reason = self._release_lease(sender, now_ns)
            case live.Takeover():
                reason = self._ask_takeover(sender, message, now_ns)
                if reason is None:
                    return  # answered when the dead-man is seen, or too late
            case live.EndTakeover():
                reason = self._end_takeover(sender, now_ns)
            case live.MarkPhase():
                reason = self._mark(sender, message.phase, now_ns)
            case live.Pause():
                reason = self._apply(modes.Pause(by=sender.user), now_ns, sender.user)
            case live.Resume():
                reason = self._resume(sender, now_ns)
            case live.Clear():
                reason = self._clear(sender, now_ns, clear_cause)
            case live.Drive() | live.Ready():
                return  # not requests: they have no answer
            case _:
                reason = not_for_control(message.kind)
        self._answer(sender, reason or "", now_ns)

    def gone(self, client_id: UUID, now_ns: int) -> None:
        """A client's socket closed: its input counts no more; the lease runs out by silence."""
        if client_id == self.lease_client:
            silent_ns = now_ns - leases.SILENCE_NS - 1
            self.lease = replace(self.lease, heard_ns=min(self.lease.heard_ns, silent_ns))
        if self.asked is not None and self.asked.client_id == client_id:
            self.asked = None
            self.lease = replace(self.lease, pending=None)
        if self._waiting is not None and self._waiting.sender.client_id == client_id:
            self._waiting = None

    def intent(self, intent: Intent, now_ns: int) -> None:
        """What the actor wants: an episode begins or ends, or the arm drives home."""
        match intent:
            case BeginAutonomy(takeover_only=only):
                self.running = Running.DEMONSTRATION if only else Running.EPISODE
                if not only:
                    self._apply(modes.StartAutonomy(by="episode"), now_ns, "episode")
            case EndMotion(reason=reason):
                self.running = Running.NOTHING
                self._apply(modes.Finish(cause=reason), now_ns, "episode")
            case GoHome():
                refused = self._apply(modes.BeginReset(by="episode"), now_ns, "episode")
                if refused is None:
                    self.out.go_home = intent
                else:
                    self.out.events.append(HomeMissed(why=refused, t_ns=now_ns))

    def home_reached(self, now_ns: int) -> None:
        self._apply(modes.ResetDone(), now_ns, "control")

    def home_missed(self, why: str, now_ns: int) -> None:
        self._apply(modes.Finish(cause=why), now_ns, "control")
        self.out.events.append(HomeMissed(why=why, t_ns=now_ns))

    def fault(self, cause: str, now_ns: int) -> None:
        """Latch a fault with its cause."""
        self._apply(modes.RaiseFault(cause=cause), now_ns, "control")

    def hear(
        self, client_id: UUID, *, epoch: int, sequence: int, echoed_ns: int, now_ns: int
    ) -> leases.Admission:
        """Judge a drive message; an admitted one keeps the lease.

        One that came too late measures the round trip as well: that is how a slow network shows.
        """
        by = str(client_id)
        self.lease, admission = leases.admit(
            self.lease, by=by, epoch=epoch, sequence=sequence, echoed_ns=echoed_ns, now_ns=now_ns
        )
        if admission in (leases.Admission.ACCEPTED, leases.Admission.TOO_OLD):
            self.round_trip_s = (now_ns - echoed_ns) * 1e-9
        return admission

    # ---- time ---------------------------------------------------------------------------------

    def tick(
        self, now_ns: int, speed_m_s: float, remote: Input | None, local: Input | None
    ) -> None:
        """Time passes: leases run out, takeovers begin or are given up, a stop comes to rest."""
        at_rest = speed_m_s < REST_M_S
        self._lease_step(leases.Tick(at_rest=at_rest), now_ns)
        self._look_for_people(now_ns)
        if self._waiting is not None:
            self._try_takeover(self._waiting, now_ns, remote, local)
        stopping = self.stopping
        if stopping is None or stopping.braking_ns is None or stopping.stopped_ns is not None:
            return
        if at_rest:
            self._report_stop(replace(stopping, stopped_ns=now_ns))

    def _look_for_people(self, now_ns: int) -> None:
        """The task's rule for autonomy that nobody attends (SAFETY, fault 25).

        Who holds the lease and is heard attends; so did whoever has just started or resumed.
        """
        if self.lease.holder is not None and not self.lease.suspended:
            self._attended_ns = now_ns
        attended_ns = max(self._attended_ns, self.mode.since_ns)
        limit_ns = self._unattended_ns
        if limit_ns is None or self.mode.mode is not Mode.AUTONOMOUS:
            return
        if now_ns - attended_ns > limit_ns:
            by = f"the robot, because nobody has attended it for {limit_ns / 1e9:.0f} s"
            self._apply(modes.Pause(by=by), now_ns, "control")

    def sent(self, now_ns: int) -> None:
        """A command left for the arm: the first one after a stop begins to brake."""
        if self.stopping is not None and self.stopping.braking_ns is None:
            self._report_stop(replace(self.stopping, braking_ns=now_ns))

    def _report_stop(self, stopping: Stopping) -> None:
        """Tell how far the stop has come."""
        self.stopping = stopping
        if stopping.braking_ns is not None:
            self.out.results.append(
                live.StopProgress(
                    by=stopping.by,
                    received_t_ns=stopping.received_ns,
                    braking_t_ns=stopping.braking_ns,
                    stopped_t_ns=stopping.stopped_ns,
                )
            )

    # ---- requests, one by one -----------------------------------------------------------------

    def _stop(self, sender: live.FromClient, now_ns: int) -> str | None:
        if self.mode.mode is not Mode.STOPPED:
            self.stopping = Stopping(by=sender.user, received_ns=now_ns)
            self._apply(modes.Stop(by=sender.user), now_ns, sender.user)
        return None

    def _acquire(self, sender: live.FromClient, preempt: str, now_ns: int) -> str | None:
        by, holder = str(sender.client_id), self.lease.holder
        driven = holder is not None and holder != by and self.mode.mode is Mode.TAKEOVER
        if driven and not preempt:
            return f"{self.lease_user} is driving; the lease cannot change hands now."
        event = leases.Request(by=by, supervisor=bool(preempt))
        denied = self._lease_step(event, now_ns, asker=sender)
        if denied is not None:
            return denied
        if self.lease.holder == by:
            return None
        if self.asked is not None and self.asked.client_id != sender.client_id:
            return f"{self.asked.user} has taken it already and gets it once the arm is at rest."
        if preempt:
            return f"The lease of {self.lease_user} passes to you once the arm is at rest."
        return (
            f"{self.lease_user} holds the lease and is asked for it. It passes to you within 5 s, "
            f"once the arm is at rest, unless {self.lease_user} keeps it."
        )

    def _release_lease(self, sender: live.FromClient, now_ns: int) -> str | None:
        if sender.client_id != self.lease_client:
            return "You do not hold the lease."
        return self._lease_step(leases.GiveUp(by=str(sender.client_id)), now_ns)

    def _ask_takeover(
        self, sender: live.FromClient, request: live.Takeover, now_ns: int
    ) -> str | None:
        if sender.client_id != self.lease_client:
            if self.lease_client is not None:
                return f"{self.lease_user} holds the lease; taking over needs it."
            return "Taking over needs the lease; request it first."
        if self.mode.mode is Mode.TAKEOVER:
            return "You are driving already."
        if self._waiting is not None:
            return "A takeover is waiting for the dead-man already."
        deadline_ns = now_ns + TAKEOVER_WAIT_NS
        self._waiting = _WaitingTakeover(sender=sender, request=request, deadline_ns=deadline_ns)
        return None

    def _try_takeover(
        self, waiting: _WaitingTakeover, now_ns: int, remote: Input | None, local: Input | None
    ) -> None:
        if waiting.sender.client_id != self.lease_client:
            self._waiting = None
            self._answer(waiting.sender, "The lease ended before the dead-man was held.", now_ns)
            return
        chosen = local if local is not None and local.device == waiting.request.device else remote
        heard = not leases.silent(self.lease, now_ns)
        held = heard and chosen is not None and chosen.fresh and chosen.dead_man
        if not held and now_ns < waiting.deadline_ns:
            return
        self._waiting = None
        event = modes.TakeOver(
            holder=waiting.sender.user,
            device=waiting.request.device,
            has_lease=True,
            dead_man=held,
            round_trip_s=self.round_trip_s,
        )
        before = self.mode.epoch
        reason = self._apply(event, now_ns, waiting.sender.user)
        if self.mode.epoch != before:
            self._begin_intervention(waiting, now_ns)
        self._answer(waiting.sender, reason or "", now_ns)

    def _begin_intervention(self, waiting: _WaitingTakeover, now_ns: int) -> None:
        self.intervention = Intervention(
            intervention_id=new_id(),
            client_id=waiting.sender.client_id,
            operator=waiting.sender.user,
            device=waiting.request.device,
        )
        self.out.events.append(
            InterventionBegan(
                intervention_id=self.intervention.intervention_id,
                operator=self.intervention.operator,
                device=self.intervention.device,
                reason=waiting.request.reason[:200],
                t_ns=now_ns,
            )
        )

    def _end_takeover(self, sender: live.FromClient, now_ns: int) -> str | None:
        if refused := self._not_driver(sender):
            return refused
        resume = self._resumes and self.running is Running.EPISODE
        event = modes.Release(holder=self.mode.holder or "", resume=resume)
        return self._apply(event, now_ns, sender.user)

    def _mark(self, sender: live.FromClient, phase: Phase, now_ns: int) -> str | None:
        if refused := self._not_driver(sender):
            return refused
        if phase is not Phase.CORRECTION:
            return "An intervention begins in recovery; only correction can be marked."
        refused = self._apply(
            modes.MarkCorrection(holder=self.mode.holder or ""), now_ns, sender.user
        )
        if refused is None and self.intervention is not None:
            marked = self.intervention.intervention_id
            self.out.events.append(
                PhaseMarked(intervention_id=marked, phase=Phase.CORRECTION, t_ns=now_ns)
            )
        return refused

    def _resume(self, sender: live.FromClient, now_ns: int) -> str | None:
        if self.lease_client not in (None, sender.client_id):
            return f"{self.lease_user} holds the lease; only {self.lease_user} may resume."
        if self.running is not Running.EPISODE:
            return "There is nothing to resume: the policy has no episode running; start one."
        return self._apply(modes.Resume(by=sender.user), now_ns, sender.user)

    def _clear(self, sender: live.FromClient, now_ns: int, cause: str | None) -> str | None:
        refused = self._apply(modes.Clear(by=sender.user, cause=cause), now_ns, sender.user)
        if refused is None:
            self.stopping = None
            self.out.clear_arm = True
        return refused

    def _not_driver(self, sender: live.FromClient) -> str | None:
        driver = self.intervention
        if self.mode.mode is not Mode.TAKEOVER or driver is None:
            return f"Nobody is driving; the robot is {self.mode.mode}."
        if driver.client_id != sender.client_id:
            return f"{driver.operator} is driving."
        return None

    # ---- the two machines ---------------------------------------------------------------------

    def _lease_step(
        self, event: leases.LeaseEvent, now_ns: int, *, asker: live.FromClient | None = None
    ) -> str | None:
        """Step the lease machine; a refusal comes back as a sentence."""
        before, by = self.lease.holder, None if asker is None else str(asker.client_id)
        self.lease, effects = leases.step(self.lease, event, now_ns)
        pending = self.lease.pending
        if asker is not None and pending is not None and pending.by == by:
            self._replace_asker(asker, now_ns)
        refused: str | None = None
        for effect in effects:
            match effect:
                case leases.Granted(to=to) if to != before:
                    self._grant(to, asker, now_ns)
                case leases.Ended():
                    self._apply(modes.LeaseLost(), now_ns, self.lease_user)
                    self.lease_client, self.lease_user = None, ""
                    self.round_trip_s = math.nan
                    before = None
                case leases.Suspended():
                    self._apply(modes.LeaseSuspended(), now_ns, self.lease_user)
                case leases.HoldForTransfer():
                    asked = "another operator" if self.asked is None else self.asked.user
                    self._apply(modes.Pause(by=asked), now_ns, asked)
                case leases.Audited(text=text) if asker is not None:
                    self._preempted(asker, by_name(text, self._names(asker)), now_ns)
                case leases.Denied(to=to, reason=reason):
                    sentence = by_name(reason, self._names(asker))
                    if self.asked is not None and to == str(self.asked.client_id) != by:
                        self._answer(self.asked, sentence, now_ns)  # the holder keeps it
                        self.asked = None
                    else:
                        refused = sentence
                case _:
                    pass
        return refused

    def _replace_asker(self, asker: live.FromClient | None, now_ns: int) -> None:
        """Who waits now; one who waited before and is passed over hears of it."""
        before, self.asked = self.asked, asker
        holder = asker.client_id if asker is not None else self.lease_client
        if before is not None and before.client_id != holder:
            self._answer(before, "Somebody else took the lease meanwhile; ask again.", now_ns)

    def _preempted(self, asker: live.FromClient, text: str, now_ns: int) -> None:
        """Recorded with its reason, whoever held the lease."""
        reason = asker.message.preempt if isinstance(asker.message, live.AcquireLease) else ""
        told = LeasePreempted(by=asker.user, text=f"{text} Reason: {reason}", t_ns=now_ns)
        self.out.events.append(told)

    def _grant(self, to: str, asker: live.FromClient | None, now_ns: int) -> None:
        if asker is not None and str(asker.client_id) == to:
            self.lease_client, self.lease_user = asker.client_id, asker.user
        elif self.asked is not None:
            self.lease_client, self.lease_user = self.asked.client_id, self.asked.user
            self._answer(self.asked, "", now_ns)
        self._replace_asker(None, now_ns)
        self.lease_since_ns = now_ns

    def _names(self, asker: live.FromClient | None) -> dict[str, str]:
        names = {str(self.lease_client): self.lease_user}
        if asker is not None:
            names[str(asker.client_id)] = asker.user
        if self.asked is not None:
            names[str(self.asked.client_id)] = self.asked.user
        return names

    def _apply(self, event: modes.Event, now_ns: int, by: str) -> str | None:
        """Step the mode machine; a refusal comes back as its sentence."""
        before = self.mode
        self.mode, effects = modes.step(before, event, now_ns)
        refused: str | None = None
        for effect in effects:
            match effect:
                case modes.Refused(reason=reason):
                    refused = reason
                case modes.PersistLatch(latch=latch):
                    self.out.latch.append(latch)
                case modes.Changed():
                    self._changed(before, event, by, now_ns)
                case _:
                    self.out.effects.append(effect)
        return refused

    def _changed(self, before: ModeState, event: modes.Event, by: str, now_ns: int) -> None:
        if self.intervention is not None:
            why = _WHY.get(type(event), "paused")
            over = self.intervention.intervention_id
            self.out.events.append(InterventionOver(intervention_id=over, why=why, t_ns=now_ns))
            self.intervention = None
        self.out.events.append(
            ModeChanged(
                mode=self.mode.mode,
                previous=before.mode,
                cause=self.mode.cause or "",
                by=by,
                t_ns=now_ns,
            )
        )

    def _answer(self, sender: live.FromClient, reason: str, now_ns: int) -> None:
        message = sender.message
        if isinstance(message, live.Drive | live.Ready):
            return
        self.out.results.append(
            live.CommandResult(
                request_id=message.request_id,
                client_id=sender.client_id,
                command=message.kind,
                accepted=not reason,
                reason=reason,
                t_ns=now_ns,
            )
        )


_WHY: dict[type, str] = {
    modes.Release: "released",
    modes.LeaseSuspended: "operator lost",
    modes.LeaseLost: "operator lost",
    modes.Stop: "stop",
    modes.RaiseFault: "fault",
    modes.Finish: "episode ended",
}
