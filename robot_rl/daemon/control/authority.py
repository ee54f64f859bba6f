"""Who may move the robot: mode and takeover, as requests, intents and time arrive.

The lease is the desk's (control_lease), a stop's progress the report's (control_stop). No input or
output. Everything is answered: what is refused says why in one sentence. Results, events and latch
changes pile up in lists that the process drains once per tick.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.clear import Clearing
from robot_rl.daemon.control.lease import LeaseDesk
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.control.sentences import not_for_control
from robot_rl.daemon.control.stop import StopReport
from robot_rl.daemon.messages import (
    BeginAutonomy,
    EndMotion,
    GoHome,
    HomeMissed,
    Intent,
    InterventionBegan,
    InterventionOver,
    ModeChanged,
    PhaseMarked,
)
from robot_rl.daemon.request_age import too_late
from robot_rl.schema import live
from robot_rl.schema.message import new_id
from safety import lease as leases
from safety import modes
from safety.faults import FaultCode, sentence
from safety.modes import ModeState
from safety.standstill import at_rest
from safety.vocabulary import LATCHED, Mode, Phase

TAKEOVER_WAIT_NS = 500_000_000
"""How long a takeover waits for the dead-man (schema.live.Takeover)."""


class Running(StrEnum):
    """What the actor has going on; without an episode nothing returns to autonomy."""

    NOTHING = "nothing"
    EPISODE = "episode"
    DEMONSTRATION = "demonstration"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInput:
    """What a person's device says now: the remote one (browser), or one at the robot."""

    device: str
    dead_man: bool
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OngoingIntervention:
    intervention_id: UUID
    client_id: UUID
    operator: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _WaitingTakeover:
    sender: live.FromClient
    request: live.Takeover
    deadline_ns: int


class Authority:
    """State: the mode, the present intervention, the takeover that waits for the dead-man."""

    def __init__(self, mode: ModeState, *, resumes: bool, unattended_ns: int | None = None) -> None:
        self.mode = mode
        self.running = Running.NOTHING
        self.intervention: OngoingIntervention | None = None
        self.out = Outbound()
        self.stop_report = StopReport(self.out)
        self.clearing = Clearing(self.out, self._apply, self.stop_report)
        self.desk = LeaseDesk(self.out, self._apply)
        self.hear = self.desk.hear  # a drive message concerns the lease alone
        self._resumes, self._unattended_ns = resumes, unattended_ns
        self._attended_ns = mode.since_ns
        self._waiting: _WaitingTakeover | None = None

    def drain(self) -> Outbound:
        return self.out.drain()

    @property
    def lease(self) -> leases.LeaseState:
        return self.desk.state

    @property
    def lease_client(self) -> UUID | None:
        return self.desk.client

    @property
    def lease_user(self) -> str:
        return self.desk.user

    @property
    def round_trip_s(self) -> float:
        """Of the lease's holder; NaN before it was measured."""
        return self.desk.round_trip_s

    @property
    def asked(self) -> live.FromClient | None:
        """Who waits for the lease, and its request."""
        return self.desk.asked

    # ---- messages -----------------------------------------------------------------------------

    def request(self, sender: live.FromClient, now_ns: int, arm: ArmCondition) -> None:
        """Carry out or refuse a request. `arm`: what may keep a latch from being cleared."""
        message = sender.message
        if late := too_late(message, now_ns):
            self.out.answer(sender, late, now_ns)
            return
        match message:
            case live.Stop():
                reason = self._stop(sender, now_ns)
            case live.AcquireLease():
                driving = self.mode.mode is Mode.TAKEOVER
                reason = self.desk.acquire(sender, message.preempt, now_ns, driving=driving)
            case live.AnswerLease():
                reason = self.desk.consent(sender, message.consent, now_ns)
            case live.ReleaseLease():
                reason = self.desk.release(sender, now_ns)
            case live.Takeover():
                reason = self._ask_takeover(sender, message, now_ns)
                if reason is None:
                    return  # answered when the dead-man is seen, or too late
            case live.EndTakeover():
                reason = self._end_takeover(sender, now_ns)
            case live.MarkPhase():
                reason = self._mark(sender, message.phase, now_ns)
            case live.Pause():
                reason = self._apply(modes.PauseRequested(by=sender.user), now_ns, sender.user)
            case live.Resume():
                reason = self._resume(sender, now_ns)
            case live.Clear():
                latched = self.mode.mode in LATCHED
                self.clearing.request(sender, arm, now_ns, latched=latched)
                return  # answered there, at once or when the arm has left its brake
            case live.Drive() | live.Ready():
                return  # not requests: they have no answer
            case _:
                reason = not_for_control(message.kind)
        self.out.answer(sender, reason or "", now_ns)

    def gone(self, client_id: UUID, now_ns: int) -> None:
        """A client's socket closed: its input counts no more; the lease runs out by silence."""
        self.desk.gone(client_id, now_ns)
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
                refused = self._apply(modes.ResetBegun(by="episode"), now_ns, "episode")
                if refused is None:
                    self.out.go_home = intent
                else:
                    self.out.events.append(HomeMissed(why=refused, t_ns=now_ns))

    def home_reached(self, now_ns: int) -> None:
        self._apply(modes.ResetDone(), now_ns, "control")

    def home_missed(self, why: str, now_ns: int) -> None:
        self._apply(modes.Finish(cause=why), now_ns, "control")
        self.out.events.append(HomeMissed(why=why, t_ns=now_ns))

    def fault(self, fault: FaultCode, now_ns: int, **details: object) -> None:
        """Latch a fault; `details` complete its sentence."""
        cause = sentence(fault, **details)
        self._apply(modes.RaiseFault(fault=fault, cause=cause), now_ns, "control")

    # ---- time ---------------------------------------------------------------------------------

    def tick(
        self, now_ns: int, speed_m_s: float, remote: DeviceInput | None, local: DeviceInput | None
    ) -> None:
        """Time passes: leases run out, takeovers begin or are given up, a stop comes to rest."""
        rests = at_rest(speed_m_s)
        self.desk.tick(now_ns, at_rest=rests)
        self._look_for_people(now_ns)
        if self._waiting is not None:
            self._try_takeover(self._waiting, now_ns, remote, local)
        if rests:
            self.stop_report.at_rest(now_ns)

    def _look_for_people(self, now_ns: int) -> None:
        """The task's rule for autonomy that nobody attends (fault 25).

        Who holds the lease and is heard attends; so did whoever has just started or resumed.
        """
        if self.lease.holder is not None and not self.lease.suspended:
            self._attended_ns = now_ns
        attended_ns = max(self._attended_ns, self.mode.since_ns)
        limit_ns = self._unattended_ns
        if limit_ns is None or self.mode.mode is not Mode.AUTONOMOUS:
            return
        if now_ns - attended_ns > limit_ns:
            cause = sentence(FaultCode.NETWORK_CUT, unattended_s=limit_ns / 1e9)
            self._apply(modes.PauseRequested(by="control", cause=cause), now_ns, "control")

    # ---- requests, one by one -----------------------------------------------------------------

    def _stop(self, sender: live.FromClient, now_ns: int) -> str | None:
        self.clearing.stopped(now_ns)
        if self.mode.mode is not Mode.STOPPED:
            self.stop_report.begin(sender.user, now_ns)
            self._apply(modes.StopRequested(by=sender.user), now_ns, sender.user)
        return None

    def _ask_takeover(
        self, sender: live.FromClient, request: live.Takeover, now_ns: int
    ) -> str | None:
        if sender.client_id != self.lease_client:
            if self.lease_client is not None:
                return sentence(FaultCode.TWO_TAKEOVERS, holder=self.lease_user)
            return "Taking over needs the lease; request it first."
        if self.mode.mode is Mode.TAKEOVER:
            return "You are driving already."
        if passing := self.desk.passing():
            return passing
        if self._waiting is not None:
            return "A takeover is waiting for the dead-man already."
        deadline_ns = now_ns + TAKEOVER_WAIT_NS
        self._waiting = _WaitingTakeover(sender=sender, request=request, deadline_ns=deadline_ns)
        return None

    def _try_takeover(
        self,
        waiting: _WaitingTakeover,
        now_ns: int,
        remote: DeviceInput | None,
        local: DeviceInput | None,
    ) -> None:
        if waiting.sender.client_id != self.lease_client:
            self._waiting = None
            self.out.answer(waiting.sender, "The lease ended before the dead-man was held.", now_ns)
            return
        if passing := self.desk.passing():
            self._waiting = None
            self.out.answer(waiting.sender, passing, now_ns)
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
        self.out.answer(waiting.sender, reason or "", now_ns)

    def _begin_intervention(self, waiting: _WaitingTakeover, now_ns: int) -> None:
        self.desk.driving_begins(now_ns)  # a decided transfer refuses the takeover
        self.intervention = OngoingIntervention(
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
        if passing := self.desk.passing():
            return passing
        if self.running is not Running.EPISODE:
            return "There is nothing to resume: the policy has no episode running; start one."
        return self._apply(modes.ResumeRequested(by=sender.user), now_ns, sender.user)

    def _not_driver(self, sender: live.FromClient) -> str | None:
        driver = self.intervention
        if self.mode.mode is not Mode.TAKEOVER or driver is None:
            return f"Nobody is driving; the robot is {self.mode.mode}."
        if driver.client_id != sender.client_id:
            return f"{driver.operator} is driving."
        return None

    # ---- the mode machine ---------------------------------------------------------------------

    def _apply(self, event: modes.Event, now_ns: int, by: str) -> str | None:
        """Step the mode machine; a refusal comes back as its sentence."""
        before = self.mode
        self.mode, effects = modes.step(before, event, now_ns)
        refused: str | None = None
        for effect in effects:
            match effect:
                case modes.EventRefused(reason=reason):
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
                fault=self.mode.fault,
                by=by,
                t_ns=now_ns,
            )
        )


_WHY: dict[type, str] = {
    modes.Release: "released",
    modes.LeaseSuspended: "operator lost",
    modes.LeaseLost: "operator lost",
    modes.StopRequested: "stop",
    modes.RaiseFault: "fault",
    modes.Finish: "episode ended",
}
