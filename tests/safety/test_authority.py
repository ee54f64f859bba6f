"""Modes, lease and gate together on virtual time, driven at random: docs/safety.md's invariants."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from safety import lease as leases
from safety import modes as machine
from safety.faults import FaultCode
from safety.gate import Gate, Measured
from safety.lease import Admission, LeaseState
from safety.limits import ArmLimits, CartesianLimits, ImpedanceGains, JointLimits
from safety.modes import (
    ClearRequested,
    Event,
    EventRefused,
    Release,
    ResumeRequested,
    StartAutonomy,
)
from safety.proposal import Hold, Home, PolicyTarget, Proposal, Retrace, Twist
from safety.settings import GateSettings
from safety.standstill import at_rest
from safety.vocabulary import LATCHED, MOVING, Mode, Reject, Source

PERIOD_NS = 5_000_000
PEOPLE = st.sampled_from(["ada", "bob", "sam"])
FLAG = st.booleans()
OWNER = {
    Source.POLICY: Mode.AUTONOMOUS,
    Source.HUMAN: Mode.TAKEOVER,
    Source.RESET: Mode.RESETTING,
    Source.REWIND: Mode.REWINDING,
}
KINDS = {
    Mode.AUTONOMOUS: "policy",
    Mode.TAKEOVER: "twist",
    Mode.RESETTING: "home",
    Mode.REWINDING: "rewind",
}
CELL = CartesianLimits(
    box_min_m=np.array([0.3, -0.2, 0.05]),
    box_max_m=np.array([0.6, 0.2, 0.4]),
    margin_m=0.02,
    speed_m_s=0.4,
    acceleration_m_s2=6.0,
    jerk_m_s3=500.0,
    angular_speed_rad_s=1.5,
    angular_acceleration_rad_s2=15.0,
    angular_jerk_rad_s3=600.0,
    clip_m=np.full((2, 3), 0.006),
    clip_rad=np.full((2, 3), 0.02),
)
LIMITS = ArmLimits(
    cartesian=CELL,
    gains=ImpedanceGains.from_ratio([2000.0] * 3 + [150.0] * 3, 1.0),
    joints=JointLimits(
        position_min_rad=np.full(7, -2.9),
        position_max_rad=np.full(7, 2.9),
        velocity_rad_s=np.full(7, 2.0),
        torque_nm=np.full(7, 12.0),
        torque_rate_nm_s=np.full(7, 1000.0),
    ),
    force_limit_n=12.0,
    torque_limit_nm=3.0,
    free_speed_limit_m_s=0.14,
    free_rotation_limit_rad_s=0.13,
)


class Cell(RuleBasedStateMachine):
    """A robot, its lease and three people who do whatever they like, in any order."""

    @initialize(stopped=FLAG)
    def start(self, stopped: bool) -> None:
        self.now_ns = 0
        self.position = np.array([0.45, 0.0, 0.2])
        self.facing = np.array([0.0, 1.0, 0.0, 0.0])
        self.persisted = machine.Latch(stopped_by="ada" if stopped else None)
        self.modes = machine.initial(0, epoch=1, latch=self.persisted)
        self.lease = LeaseState()
        self.gate = Gate(LIMITS, GateSettings(period_s=0.005), self.measured())
        self.sequence, self.message = 0, 0
        self.twist_at_ns: int | None = None
        self.wish = np.zeros(6)
        self.speed = 0.0

    def measured(self) -> Measured:
        return Measured(t_robot_ns=self.now_ns, position_m=self.position, quaternion=self.facing)

    def send(self, event: Event) -> None:
        before = self.modes
        self.modes, effects = machine.step(before, event, self.now_ns)
        assert self.modes.epoch >= before.epoch
        if any(isinstance(e, EventRefused) for e in effects):
            assert self.modes == before
        for effect in effects:
            if isinstance(effect, machine.DecayReference):
                self.gate.take_over(self.now_ns, self.measured())
            if isinstance(effect, machine.PersistLatch):
                self.persisted = effect.latch
        if self.modes.mode is Mode.AUTONOMOUS and before.mode is not Mode.AUTONOMOUS:
            # Only a person's own act leads to autonomy; losing somebody never does.
            assert isinstance(event, StartAutonomy | ResumeRequested | Release)
            assert not isinstance(event, Release) or event.holder == before.holder
        if before.mode in LATCHED and self.modes.mode not in LATCHED:
            assert isinstance(event, ClearRequested)
            assert self.modes.mode is Mode.IDLE
        if isinstance(event, machine.StopRequested):
            assert self.modes.mode is Mode.STOPPED

    def change_lease(self, event: leases.LeaseEvent) -> None:
        before = self.lease
        self.lease, effects = leases.step(before, event, self.now_ns)
        if before.holder is not None and self.lease.holder not in (None, before.holder):
            assert at_rest(self.speed)  # Transfer only at zero velocity.
        if self.lease.holder != before.holder:
            assert self.lease.epoch > before.epoch
        for effect in effects:
            match effect:
                case leases.Suspended():
                    self.send(machine.LeaseSuspended())
                case leases.LeaseEnded():
                    self.send(machine.LeaseLost())
                case leases.HoldForTransfer():
                    self.send(machine.PauseRequested(by="a transfer"))
                case _:
                    pass

    @rule(by=PEOPLE, supervisor=FLAG)
    def request_lease(self, by: str, supervisor: bool) -> None:
        self.change_lease(leases.LeaseRequest(by=by, supervisor=supervisor))

    @rule(by=PEOPLE, consent=FLAG)
    def answer(self, by: str, consent: bool) -> None:
        self.change_lease(leases.Answer(by=by, consent=consent))

    @rule(by=PEOPLE)
    def give_up(self, by: str) -> None:
        self.change_lease(leases.GiveUp(by=by))

    @rule(by=PEOPLE, dead_man=FLAG, round_trip_s=st.sampled_from([0.02, 0.25, 0.4, float("nan")]))
    def take_over(self, by: str, dead_man: bool, round_trip_s: float) -> None:
        has_lease = by == self.lease.holder
        before = self.modes.mode
        self.send(
            machine.TakeOver(
                holder=by,
                device="spacemouse",
                has_lease=has_lease,
                dead_man=dead_man,
                round_trip_s=round_trip_s,
            )
        )
        if before is not Mode.TAKEOVER and self.modes.mode is Mode.TAKEOVER:
            assert has_lease
            assert dead_man
            assert round_trip_s <= 0.3
            self.twist_at_ns = None

    @rule(
        by=PEOPLE,
        age_ns=st.integers(-10_000_000, 350_000_000),
        old_epoch=FLAG,
        wish=st.lists(st.floats(-2.0, 2.0) | st.just(float("nan")), min_size=6, max_size=6).map(
            np.array
        ),
    )
    def drive(self, by: str, age_ns: int, old_epoch: bool, wish: np.ndarray) -> None:
        self.message += 1
        self.lease, admission = leases.admit(
            self.lease,
            by=by,
            epoch=self.lease.epoch - old_epoch,
            sequence=self.message,
            echoed_ns=self.now_ns - age_ns,
            now_ns=self.now_ns,
        )
        if admission is Admission.ACCEPTED:
            assert by == self.lease.holder
            assert 0 <= age_ns <= 300_000_000
            self.wish, self.twist_at_ns = wish, self.now_ns

    @rule(by=PEOPLE)
    def start_autonomy(self, by: str) -> None:
        self.send(StartAutonomy(by=by))

    @rule(by=PEOPLE, resume=FLAG)
    def release(self, by: str, resume: bool) -> None:
        self.send(Release(holder=by, resume=resume))

    @rule(by=PEOPLE)
    def mark_correction(self, by: str) -> None:
        self.send(machine.MarkCorrection(holder=by))

    @rule(by=PEOPLE)
    def pause(self, by: str) -> None:
        self.send(machine.PauseRequested(by=by))

    @rule(by=PEOPLE)
    def resume(self, by: str) -> None:
        self.send(ResumeRequested(by=by))

    @rule(by=PEOPLE)
    def reset(self, by: str) -> None:
        self.send(machine.ResetBegun(by=by))

    @rule()
    def reset_done(self) -> None:
        self.send(machine.ResetDone())

    @rule(by=st.sampled_from(["ada", "bob", "sam", "control"]))
    def rewind(self, by: str) -> None:
        before = self.modes
        self.send(machine.RewindBegun(by=by, cause="An alarm."))
        if self.modes.mode is Mode.REWINDING and before.mode is not Mode.REWINDING:
            assert before.mode in (Mode.AUTONOMOUS, Mode.PAUSED) or by == before.holder

    @rule()
    def finish(self) -> None:
        self.send(machine.Finish(cause="The episode is over."))

    @rule(by=PEOPLE)
    def stop(self, by: str) -> None:
        self.send(machine.StopRequested(by=by))

    @rule(by=PEOPLE, persists=FLAG)
    def clear(self, by: str, persists: bool) -> None:
        before = self.modes
        self.send(ClearRequested(by=by, cause="The arm reports a reflex." if persists else None))
        assert not persists or self.modes == before

    @rule()
    def fault(self) -> None:
        self.send(machine.RaiseFault(fault=FaultCode.ARM_SILENT, cause="The arm is gone."))

    @rule()
    def restart(self) -> None:
        """The process ends and starts again: what was latched stays latched."""
        before = self.modes.mode
        self.modes = machine.initial(self.now_ns, epoch=self.modes.epoch + 1, latch=self.persisted)
        assert self.modes.mode is (before if before in LATCHED else Mode.IDLE)

    @rule(
        ticks=st.integers(1, 60),
        kind=st.sampled_from(["matching", "policy", "twist", "home", "rewind", "hold", "none"]),
        delta=st.lists(
            st.floats(-1.0, 1.0) | st.sampled_from([float("nan"), float("inf")]),
            min_size=6,
            max_size=6,
        ).map(np.array),
        old=FLAG,
    )
    def control(self, ticks: int, kind: str, delta: np.ndarray, old: bool) -> None:
        """The control loop runs, with proposals of the right or any other kind."""
        self.sequence += 1
        begin_ns, epoch = self.now_ns, self.modes.epoch - (old and kind != "matching")
        for _ in range(ticks):
            self.tick(self.propose(kind, begin_ns, epoch, delta))

    def propose(self, kind: str, begin_ns: int, epoch: int, delta: np.ndarray) -> Proposal | None:
        if kind == "matching":
            kind = KINDS.get(self.modes.mode, "hold")
        match kind:
            case "policy":
                return PolicyTarget(
                    sequence=self.sequence,
                    epoch=epoch,
                    observed_ns=begin_ns,
                    valid_from_ns=begin_ns,
                    valid_until_ns=begin_ns + 100_000_000,
                    delta=delta,
                    gripper=0.0,
                )
            case "twist" if self.twist_at_ns is not None:
                return Twist(epoch=epoch, received_ns=self.twist_at_ns, twist=self.wish)
            case "home":
                return Home(
                    epoch=epoch,
                    valid_until_ns=begin_ns + 100_000_000,
                    position_m=self.position + delta[:3],
                    quaternion=self.facing,
                )
            case "rewind":
                return Retrace(
                    epoch=epoch,
                    valid_until_ns=begin_ns + 100_000_000,
                    position_m=self.position + delta[:3],
                    quaternion=self.facing,
                )
            case "hold":
                return Hold()
            case _:
                return None

    def tick(self, proposal: Proposal | None) -> None:
        self.change_lease(leases.Tick(at_rest=at_rest(self.speed)))
        pending = self.lease.pending
        if pending is not None and pending.transfer is not leases.Transfer.WAITING:
            assert self.modes.mode not in MOVING  # Nothing puts off a decided transfer.
        decision = self.gate.tick(self.now_ns, self.measured(), proposal, self.modes)
        verdict, command = decision.verdict, decision.command
        assert np.isfinite(command.position_m).all()
        assert np.isfinite(command.quaternion).all()
        assert (command.position_m >= CELL.box_min_m - 1e-12).all()
        assert (command.position_m <= CELL.box_max_m + 1e-12).all()
        step_m = float(np.linalg.norm(command.position_m - self.position))
        assert step_m <= CELL.speed_m_s * 0.005 * 1.001
        # The recorded source is the one with the authority, or it is a hold, which slows down.
        if verdict.source is Source.HOLD:
            assert step_m / 0.005 <= self.speed + CELL.acceleration_m_s2 * 0.005
        else:
            assert verdict.reject is Reject.NONE
            assert self.modes.mode is OWNER[verdict.source]
            assert proposal is not None
            assert not isinstance(proposal, Hold)
            assert proposal.epoch == self.modes.epoch
        self.speed = step_m / 0.005
        self.position, self.facing = command.position_m, command.quaternion
        self.now_ns += PERIOD_NS

    @rule()
    def wait_in_hold(self) -> None:
        """Whatever it was doing, 150 ms of hold bring it to rest."""
        for _ in range(30):
            self.tick(Hold())
        assert at_rest(self.speed)

    @invariant()
    def one_owner(self) -> None:
        assert (self.modes.holder is not None) == (self.modes.mode is Mode.TAKEOVER)
        if self.modes.mode is Mode.TAKEOVER:
            assert self.modes.holder == self.lease.holder

    @invariant()
    def a_stop_is_on_disk(self) -> None:
        assert (self.modes.mode is Mode.STOPPED) == (self.persisted.stopped_by is not None)


Cell.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestCell = Cell.TestCase
