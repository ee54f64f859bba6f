"""The right to drive: the one place where the robot keeps who holds it. No input or output.

The rules are a pure machine in safety.lease, beside the other decisions about motion: epochs, ages,
silences, transfers, for clients known by an id. Here they have names, their requests get answers,
and what becomes of the lease reaches the mode. What lies elsewhere reads it and decides nothing:

- schema/live/ has the requests, `LeaseStatus` (shown in telemetry) and `RobotTime` (the echo).
- link/requests.py keeps the one slot for drive messages free of those who do not hold the lease,
  and link/echo.py sends the holder the robot's time: both read the record of control.
- operator_input.py, takeover.py and dead_man.py beside this file ask whether input may count, who
  may begin to drive, and whether the dead-man was let go.
- The server only says who may ask (server/hub.py: roles); it never holds or grants a lease.
"""

import math
from dataclasses import replace
from uuid import UUID

from robot_rl.daemon.control.mode_machine import ModeMachine
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.control.sentences import by_name
from robot_rl.daemon.messages import LeasePreempted
from robot_rl.schema.live.client_message import AcquireLease
from robot_rl.schema.live.robot_command import FromClient
from safety import lease as leases
from safety import modes


class LeaseArbiter:
    """State: the lease, its holder, the holder's round trip, and who waits for the lease."""

    def __init__(self, out: Outbound, machine: ModeMachine, *, first_epoch: int = 0) -> None:
        self.state = leases.LeaseState(epoch=first_epoch)
        self.client: UUID | None = None
        self.user = ""
        self.since_ns = 0
        self.round_trip_s = math.nan
        self.asked: FromClient | None = None  # who waits for the lease, and its request
        self._out, self._machine = out, machine

    # ---- requests: each comes back refused with a sentence, or as None --------------------------

    def acquire(
        self, sender: FromClient, preempt: str, now_ns: int, *, driving: bool
    ) -> str | None:
        """Ask for the lease; `preempt` is the reason to take it, or empty. `driving`: a person is.

        A sentence is no refusal for good: whoever has to wait is answered again in the end.
        """
        by, holder = str(sender.client_id), self.state.holder
        driven = holder is not None and holder != by and driving
        if driven and not preempt:
            return self._driving()
        event = leases.LeaseRequest(by=by, supervisor=bool(preempt))
        denied = self._step(event, now_ns, asker=sender)
        if denied is not None:
            return denied
        if self.state.holder == by:
            return None
        if self.asked is not None and self.asked.client_id != sender.client_id:
            return f"{self.asked.user} has taken it already and gets it once the arm is at rest."
        if preempt:
            return f"The lease of {self.user} passes to you once the arm is at rest."
        return (
            f"{self.user} holds the lease and is asked for it. It passes to you within 5 s, "
            f"once the arm is at rest, unless {self.user} keeps it."
        )

    def consent(self, sender: FromClient, consent: bool, now_ns: int) -> str | None:
        """The holder gives the lease to whoever has asked, or keeps it."""
        answer = leases.Answer(by=str(sender.client_id), consent=consent)
        return self._step(answer, now_ns, asker=sender)

    def release(self, sender: FromClient, now_ns: int) -> str | None:
        """The holder gives the lease up, or who waits for it withdraws the request."""
        waits, pending = self.asked, self.state.pending
        if sender.client_id == self.client:
            return self._step(leases.GiveUp(by=str(sender.client_id)), now_ns)
        if waits is None or pending is None or waits.client_id != sender.client_id:
            return "You neither hold the lease nor wait for it."
        self._step(leases.GiveUp(by=pending.by), now_ns)
        self._out.answer(waits, "You have withdrawn this request.", now_ns)
        self.asked = None
        if pending.transfer is leases.Transfer.SUPERVISOR:
            rest = "the lease is free" if self.client is None else f"{self.user} keeps the lease"
            text = f"{sender.user} withdrew the pre-emption; {rest}."
            self._out.events.append(LeasePreempted(by=sender.user, text=text, t_ns=now_ns))
        return None

    def transfer_under_way(self) -> str | None:
        """A sentence while the lease is on its way to another: until then nothing may move."""
        pending = self.state.pending
        if pending is None or self.asked is None:
            return None
        if pending.transfer is leases.Transfer.WAITING and self.state.holder is not None:
            return None
        return (
            f"The lease is passing to {self.asked.user}; "
            "nothing can start to move before the arm is at rest."
        )

    # ---- what else happens to it ----------------------------------------------------------------

    def admit(
        self, client: UUID, *, epoch: int, sequence: int, echoed_ns: int, now_ns: int
    ) -> leases.Admission:
        """Judge a drive message; an admitted one keeps the lease.

        One that came too late measures the round trip as well: that is how a slow network shows.
        """
        by = str(client)
        self.state, admission = leases.admit(
            self.state, by=by, epoch=epoch, sequence=sequence, echoed_ns=echoed_ns, now_ns=now_ns
        )
        if admission in (leases.Admission.ACCEPTED, leases.Admission.TOO_OLD):
            self.round_trip_s = (now_ns - echoed_ns) * 1e-9
        return admission

    def driving_begins(self, now_ns: int) -> None:
        """Whoever drives keeps the lease: who waits for an answer has it, as if asking now."""
        if self.asked is not None:
            self._out.answer(self.asked, self._driving(), now_ns)
            self.asked = None
            self.state = replace(self.state, pending=None)

    def client_gone(self, client: UUID, now_ns: int) -> None:
        """A client's socket closed: the lease runs out by silence, and nobody waits for it."""
        if client == self.client:
            silent_ns = now_ns - leases.SILENCE_NS - 1
            self.state = replace(self.state, heard_ns=min(self.state.heard_ns, silent_ns))
        if self.asked is not None and self.asked.client_id == client:
            self.asked = None
            self.state = replace(self.state, pending=None)

    def tick(self, now_ns: int, *, at_rest: bool) -> None:
        """Time passes: a silent lease runs out, an agreed one changes hands at rest."""
        self._step(leases.Tick(at_rest=at_rest), now_ns)

    # ---- the lease machine ----------------------------------------------------------------------

    def _step(
        self, event: leases.LeaseEvent, now_ns: int, *, asker: FromClient | None = None
    ) -> str | None:
        """Step the lease machine; a refusal comes back as a sentence."""
        before, by = self.state.holder, None if asker is None else str(asker.client_id)
        self.state, effects = leases.step(self.state, event, now_ns)
        pending = self.state.pending
        if asker is not None and pending is not None and pending.by == by:
            self._replace_asker(asker, now_ns)
        refused: str | None = None
        for effect in effects:
            match effect:
                case leases.Granted(to=to) if to != before:
                    self._grant(to, asker, now_ns)
                case leases.LeaseEnded():
                    self._machine.apply(modes.LeaseLost(), now_ns, self.user)
                    self.client, self.user = None, ""
                    self.round_trip_s = math.nan
                    before = None
                case leases.Suspended():
                    self._machine.apply(modes.LeaseSuspended(), now_ns, self.user)
                case leases.HoldForTransfer():
                    asked = "another operator" if self.asked is None else self.asked.user
                    self._machine.apply(modes.PauseRequested(by=asked), now_ns, asked)
                case leases.Audited(text=text) if asker is not None:
                    self._preempted(asker, by_name(text, self._names(asker)), now_ns)
                case leases.Denied(to=to, reason=reason):
                    sentence = by_name(reason, self._names(asker))
                    if self.asked is not None and to == str(self.asked.client_id) != by:
                        self._out.answer(self.asked, sentence, now_ns)  # the holder keeps it
                        self.asked = None
                    else:
                        refused = sentence
                case _:
                    pass
        return refused

    def _replace_asker(self, asker: FromClient | None, now_ns: int) -> None:
        """Who waits now; one who waited before and is passed over hears of it."""
        before, self.asked = self.asked, asker
        holder = asker.client_id if asker is not None else self.client
        if before is not None and before.client_id != holder:
            self._out.answer(before, "Somebody else took the lease meanwhile; ask again.", now_ns)

    def _preempted(self, asker: FromClient, text: str, now_ns: int) -> None:
        """Recorded with its reason, whoever held the lease."""
        reason = asker.message.preempt if isinstance(asker.message, AcquireLease) else ""
        told = LeasePreempted(by=asker.user, text=f"{text} Reason: {reason}", t_ns=now_ns)
        self._out.events.append(told)

    def _grant(self, to: str, asker: FromClient | None, now_ns: int) -> None:
        if asker is not None and str(asker.client_id) == to:
            self.client, self.user = asker.client_id, asker.user
        elif self.asked is not None:
            self.client, self.user = self.asked.client_id, self.asked.user
            self._out.answer(self.asked, "", now_ns)
        self._replace_asker(None, now_ns)
        self.since_ns = now_ns

    def _driving(self) -> str:
        return f"{self.user} is driving; the lease cannot change hands now."

    def _names(self, asker: FromClient | None) -> dict[str, str]:
        names = {str(self.client): self.user}
        if asker is not None:
            names[str(asker.client_id)] = asker.user
        if self.asked is not None:
            names[str(self.asked.client_id)] = self.asked.user
        return names
