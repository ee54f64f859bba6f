"""Who may move the robot, as requests, intents and time arrive. No input or output.

Each part has its own file: the mode (mode_machine), the lease (lease), takeovers (takeover), a
stop's progress (stop), clearing (clear), limit profiles (profiles), going back (rewinding).
Everything is answered: what is refused says why. Results, events and latch changes pile up in the
outbound, which the process drains once per tick.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from robot_rl.config.rewind import RewindSection
from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.clear import Clearing
from robot_rl.daemon.control.dead_man import DeviceInput
from robot_rl.daemon.control.lease import LeaseArbiter
from robot_rl.daemon.control.mode_machine import ModeMachine
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.control.profiles import ActiveProfiles
from robot_rl.daemon.control.rewinding import Rewinding
from robot_rl.daemon.control.sentences import not_for_control
from robot_rl.daemon.control.stop import StopReport
from robot_rl.daemon.control.takeover import Takeovers
from robot_rl.daemon.limits import SelectableProfile
from robot_rl.daemon.messages import BeginAutonomy, EndMotion, GoHome, HomeMissed, Intent
from robot_rl.daemon.request_age import too_late
from robot_rl.schema.live.client_message import (
    AcquireLease,
    AnswerLease,
    Clear,
    Drive,
    EndTakeover,
    MarkPhase,
    Pause,
    Ready,
    ReleaseLease,
    Resume,
    Rewind,
    SetLimitProfile,
    Stop,
    Takeover,
)
from robot_rl.schema.live.robot_command import FromClient
from safety import modes
from safety.faults import FaultCode, sentence
from safety.lease import Admission
from safety.modes import ModeState
from safety.standstill import at_rest
from safety.vocabulary import LATCHED, Mode


class Running(StrEnum):
    """What the actor has going on; without an episode nothing returns to autonomy."""

    NOTHING = "nothing"
    EPISODE = "episode"
    DEMONSTRATION = "demonstration"


class Authority:
    """State: the parts, what the actor has running, and when a person last attended."""

    def __init__(
        self,
        mode: ModeState,
        *,
        resumes: bool,
        unattended_ns: int | None = None,
        lease_epoch: int = 0,
        profiles: Sequence[SelectableProfile] = (),
        pressed: Mapping[str, str] | None = None,
        rewind: RewindSection | None = None,
    ) -> None:
        self.running = Running.NOTHING
        self.out = Outbound()
        self.machine = ModeMachine(mode, self.out)
        self.lease = LeaseArbiter(self.out, self.machine, first_epoch=lease_epoch)
        self.takeovers = Takeovers(self.machine, self.lease, self.out)
        self.stop_report = StopReport(self.out)
        self.clearing = Clearing(self.out, self.machine, self.stop_report)
        self.profiles = ActiveProfiles(profiles, pressed or {}, self.lease, self.out)
        self.rewinding = Rewinding(rewind or RewindSection(), self.machine, self.lease)
        self._resumes, self._unattended_ns = resumes, unattended_ns
        self._attended_ns = mode.since_ns

    @property
    def mode(self) -> ModeState:
        return self.machine.state

    def drain(self) -> Outbound:
        return self.out.drain()

    # ---- messages -----------------------------------------------------------------------------

    def request(self, sender: FromClient, now_ns: int, arm: ArmCondition) -> None:
        """Carry out or refuse a request. `arm`: what may keep a latch from being cleared."""
        message = sender.message
        if late := too_late(message, now_ns):
            self.out.answer(sender, late, now_ns)
            return
        match message:
            case Stop():
                reason = self._stop(sender, now_ns)
            case AcquireLease():
                driving = self.mode.mode is Mode.TAKEOVER
                reason = self.lease.acquire(sender, message.preempt, now_ns, driving=driving)
            case AnswerLease():
                reason = self.lease.consent(sender, message.consent, now_ns)
            case ReleaseLease():
                reason = self.lease.release(sender, now_ns)
            case Takeover():
                reason = self.takeovers.ask(sender, message, now_ns)
                if reason is None:
                    return  # answered when the dead-man is seen, or too late
            case EndTakeover():
                resume = self._resumes and self.running is Running.EPISODE
                reason = self.takeovers.end(sender, now_ns, resume=resume)
            case MarkPhase():
                reason = self.takeovers.mark(sender, message.phase, now_ns)
            case Pause():
                reason = self._apply(modes.PauseRequested(by=sender.user), now_ns, sender.user)
            case Resume():
                reason = self._resume(sender, now_ns)
            case Rewind():
                reason = self.rewinding.request(sender, now_ns)
            case SetLimitProfile():
                reason = self.profiles.request(sender, message, now_ns)
            case Clear():
                latched = self.mode.mode in LATCHED
                self.clearing.request(sender, arm, now_ns, latched=latched)
                return  # answered there, at once or when the arm has left its brake
            case Drive() | Ready():
                return  # not requests: they have no answer
            case _:
                reason = not_for_control(message.kind)
        self.out.answer(sender, reason or "", now_ns)

    def admit_drive(
        self,
        client: UUID,
        *,
        epoch: int,
        sequence: int,
        echoed_ns: int,
        dead_man: bool,
        arm: int,
        now_ns: int,
    ) -> Admission:
        """Judge a drive message. That a dead-man was let go counts without the lease as well."""
        self.takeovers.releases.see_client(
            client, dead_man=dead_man, arm=arm, echoed_ns=echoed_ns, now_ns=now_ns
        )
        return self.lease.admit(
            client, epoch=epoch, sequence=sequence, echoed_ns=echoed_ns, now_ns=now_ns
        )

    def client_gone(self, client: UUID, now_ns: int) -> None:
        """A client's socket closed: its input counts no more; the lease runs out by silence."""
        self.lease.client_gone(client, now_ns)
        self.takeovers.client_gone(client)

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
        if fault is not FaultCode.ARM_STOPPED:  # that is what a clear waits for
            self.clearing.void(f"A fault came before the robot was cleared: {cause}", now_ns)
        self._apply(modes.RaiseFault(fault=fault, cause=cause), now_ns, "control")

    # ---- time ---------------------------------------------------------------------------------

    def tick(
        self, now_ns: int, speed_m_s: float, remote: DeviceInput | None, local: DeviceInput | None
    ) -> None:
        """Time passes: leases run out, takeovers begin or are given up, a stop comes to rest."""
        rests = at_rest(speed_m_s)
        self.lease.tick(now_ns, at_rest=rests)
        self._pause_unattended(now_ns)
        self.takeovers.tick(now_ns, remote, local)
        if rests:
            self.stop_report.at_rest(now_ns)

    def _pause_unattended(self, now_ns: int) -> None:
        """The task's rule for autonomy that nobody attends (fault 25).

        Who holds the lease and is heard attends; so did whoever has just started or resumed.
        """
        lease = self.lease.state
        if lease.holder is not None and not lease.suspended:
            self._attended_ns = now_ns
        attended_ns = max(self._attended_ns, self.mode.since_ns)
        limit_ns = self._unattended_ns
        if limit_ns is None or self.mode.mode is not Mode.AUTONOMOUS:
            return
        if now_ns - attended_ns > limit_ns:
            cause = sentence(FaultCode.NETWORK_CUT, unattended_s=limit_ns / 1e9)
            self._apply(modes.PauseRequested(by="control", cause=cause), now_ns, "control")

    # ---- requests, one by one -----------------------------------------------------------------

    def _stop(self, sender: FromClient, now_ns: int) -> str | None:
        self.clearing.void("The robot was stopped again before it was cleared.", now_ns)
        if self.mode.mode is not Mode.STOPPED:
            self.stop_report.begin(sender.user, now_ns)
            self._apply(modes.StopRequested(by=sender.user), now_ns, sender.user)
        return None

    def _resume(self, sender: FromClient, now_ns: int) -> str | None:
        if self.lease.client not in (None, sender.client_id):
            return f"{self.lease.user} holds the lease; only {self.lease.user} may resume."
        if transfer := self.lease.transfer_under_way():
            return transfer
        if self.running is not Running.EPISODE:
            return "There is nothing to resume: the policy has no episode running; start one."
        return self._apply(modes.ResumeRequested(by=sender.user), now_ns, sender.user)

    def _apply(self, event: modes.Event, now_ns: int, by: str) -> str | None:
        return self.machine.apply(event, now_ns, by)
