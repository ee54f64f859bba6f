"""Takeovers: who may begin to drive, and the intervention that is under way. No input or output.

Beginning to drive needs the lease, the dead-man (held now, and seen released since the last loss of
a driver) and a short enough round trip. Losing a driver voids what was seen of every dead-man.
"""

from dataclasses import dataclass
from uuid import UUID

from robot_rl.daemon.control.dead_man import DeadManReleases, DeviceInput
from robot_rl.daemon.control.lease import LeaseArbiter
from robot_rl.daemon.control.mode_machine import ModeMachine
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.messages import InterventionBegan, InterventionOver, PhaseMarked
from robot_rl.schema.live.client_message import Takeover
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.message import new_id
from safety import lease as leases
from safety import modes
from safety.faults import FaultCode, sentence
from safety.modes import ModeState
from safety.vocabulary import LATCHED, Mode, Phase

DEAD_MAN_WAIT_NS = 500_000_000
"""How long a takeover waits for the dead-man (schema.live.client_message.Takeover)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OngoingIntervention:
    intervention_id: UUID
    client_id: UUID
    operator: str
    device: str
    at_robot: bool
    """Whether `device` was at the robot when it began; nothing else drives on in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    sender: FromClient
    request: Takeover
    deadline_ns: int


class Takeovers:
    """State: the intervention, the takeover that waits for the dead-man, the releases seen."""

    def __init__(self, machine: ModeMachine, lease: LeaseArbiter, out: Outbound) -> None:
        self.intervention: OngoingIntervention | None = None
        self.releases = DeadManReleases(machine.state.since_ns)
        self._machine, self._lease, self._out = machine, lease, out
        self._waiting: _Waiting | None = None
        machine.listener = self._mode_stepped

    def ask(self, sender: FromClient, request: Takeover, now_ns: int) -> str | None:
        """Ask to drive. None: answered when the dead-man is seen, or too late."""
        lease = self._lease
        if sender.client_id != lease.client:
            if lease.client is not None:
                return sentence(FaultCode.TWO_TAKEOVERS, holder=lease.user)
            return "Taking over needs the lease; request it first."
        if self._machine.state.mode is Mode.TAKEOVER:
            return "You are driving already."
        if transfer := lease.transfer_under_way():
            return transfer
        if self._waiting is not None:
            return "A takeover is waiting for the dead-man already."
        deadline_ns = now_ns + DEAD_MAN_WAIT_NS
        self._waiting = _Waiting(sender=sender, request=request, deadline_ns=deadline_ns)
        return None

    def tick(self, now_ns: int, remote: DeviceInput | None, local: DeviceInput | None) -> None:
        """See the devices; begin, refuse or go on waiting."""
        self.releases.see_at_robot(local)
        waiting = self._waiting
        if waiting is None:
            return
        at_robot = local is not None and local.device == waiting.request.device
        chosen = local if at_robot else remote
        heard = not leases.silent(self._lease.state, now_ns)
        held = heard and chosen is not None and chosen.fresh and chosen.dead_man
        client = waiting.sender.client_id
        if client != self._lease.client:
            refused = "The lease ended before the dead-man was held."
        elif transfer := self._lease.transfer_under_way():
            refused = transfer
        elif held:
            refused = self.releases.missing(client, at_robot=at_robot)
        elif now_ns < waiting.deadline_ns:
            return
        else:
            refused = None  # the mode machine says what is missing
        self._waiting = None
        if refused is None:
            refused = self._begin(waiting, now_ns, dead_man=held, at_robot=at_robot)
        self._out.answer(waiting.sender, refused or "", now_ns)

    def end(self, sender: FromClient, now_ns: int, *, resume: bool) -> str | None:
        """The driver gives the robot back."""
        if refused := self._not_driver(sender):
            return refused
        event = modes.Release(holder=self._machine.state.holder or "", resume=resume)
        return self._machine.apply(event, now_ns, sender.user)

    def mark(self, sender: FromClient, phase: Phase, now_ns: int) -> str | None:
        """The driver says that from now on it is a correction."""
        if refused := self._not_driver(sender):
            return refused
        if phase is not Phase.CORRECTION:
            return "An intervention begins in recovery; only correction can be marked."
        event = modes.MarkCorrection(holder=self._machine.state.holder or "")
        refused = self._machine.apply(event, now_ns, sender.user)
        if refused is None and self.intervention is not None:
            marked = self.intervention.intervention_id
            self._out.events.append(
                PhaseMarked(intervention_id=marked, phase=Phase.CORRECTION, t_ns=now_ns)
            )
        return refused

    def client_gone(self, client: UUID) -> None:
        """A client's socket closed: what it asked for, and its dead-man, count no more."""
        self.releases.gone(client)
        if self._waiting is not None and self._waiting.sender.client_id == client:
            self._waiting = None

    def _begin(
        self, waiting: _Waiting, now_ns: int, *, dead_man: bool, at_robot: bool
    ) -> str | None:
        sender, request = waiting.sender, waiting.request
        event = modes.TakeOver(
            holder=sender.user,
            device=request.device,
            has_lease=True,
            dead_man=dead_man,
            round_trip_s=self._lease.round_trip_s,
        )
        before = self._machine.state.epoch
        refused = self._machine.apply(event, now_ns, sender.user)
        if self._machine.state.epoch == before:
            return refused
        self._lease.driving_begins(now_ns)  # a decided transfer has refused the takeover
        self.intervention = OngoingIntervention(
            intervention_id=new_id(),
            client_id=sender.client_id,
            operator=sender.user,
            device=request.device,
            at_robot=at_robot,
        )
        self._out.events.append(
            InterventionBegan(
                intervention_id=self.intervention.intervention_id,
                operator=sender.user,
                device=request.device,
                reason=request.reason[:200],
                t_ns=now_ns,
            )
        )
        return refused

    def _not_driver(self, sender: FromClient) -> str | None:
        driver, mode = self.intervention, self._machine.state.mode
        if mode is not Mode.TAKEOVER or driver is None:
            return f"Nobody is driving; the robot is {mode}."
        if driver.client_id != sender.client_id:
            return f"{driver.operator} is driving."
        return None

    def _mode_stepped(
        self, event: modes.Event, before: ModeState, after: ModeState, now_ns: int
    ) -> None:
        """An intervention ends with its mode; a lost driver has to let go of the dead-man."""
        if self.intervention is not None and after.mode is not Mode.TAKEOVER:
            why = _WHY.get(type(event), "paused")
            over = self.intervention.intervention_id
            self._out.events.append(InterventionOver(intervention_id=over, why=why, t_ns=now_ns))
            self.intervention = None
        if isinstance(event, modes.LeaseSuspended):
            self.releases.lost("the driver fell silent", now_ns)
        elif isinstance(event, modes.LeaseLost):
            self.releases.lost("the lease ended", now_ns)
        elif after.mode is not before.mode and after.mode in LATCHED:
            self.releases.lost("the robot was stopped", now_ns)
        elif after.mode is not before.mode and before.mode is Mode.TAKEOVER:
            self.releases.lost("the last takeover ended", now_ns)


_WHY: dict[type, str] = {
    modes.Release: "released",
    modes.LeaseSuspended: "operator lost",
    modes.LeaseLost: "operator lost",
    modes.StopRequested: "stop",
    modes.RaiseFault: "fault",
    modes.Finish: "episode ended",
    modes.RewindBegun: "rewind",
}
