"""Modes, lease, gate and impedance law together on virtual time, driven at random by Hypothesis.

Every invariant of docs/safety.md that is looked at here has a name, and what breaks it says which
it was. `test_authority` runs the machine, and then with one part broken for each invariant.
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from safety import impedance, rotation
from safety import lease as leases
from safety import modes as machine
from safety.command import CartesianTarget
from safety.faults import FaultCode
from safety.gate import Gate, Measured
from safety.lease import Admission, LeaseState
from safety.limits import ArmLimits, CartesianLimits, ImpedanceGains, JointLimits
from safety.modes import (
    ClearRequested,
    Event,
    EventRefused,
    ModeState,
    Outcome,
    Release,
    ResumeRequested,
    StartAutonomy,
)
from safety.proposal import Hold, Home, PolicyTarget, Proposal, Retrace, Twist
from safety.settings import GateSettings
from safety.standstill import at_rest
from safety.vocabulary import LATCHED, MOVING, Mode, Reject, Source
from tests.safety.chain import chain

PERIOD_NS = 5_000_000
WINDOW, MESSAGE = 20, 4
"""Ticks from one action of the policy to the next, and from one message of a driver to the next."""
NAMES = ["ada", "bob", "sam"]
PEOPLE = st.sampled_from(NAMES)
FLAG = st.booleans()
TICKS = st.sampled_from([1, 5, 20, 60])
SIX = st.tuples(
    st.sampled_from([0.01, 0.2, 2.0]),
    st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6),
    st.sampled_from([*[1.0] * 8, float("nan"), float("inf")]),
).map(lambda parts: parts[0] * np.array([*parts[1][:5], parts[1][5] * parts[2]]))
"""A motion (6,); of ten one is not finite."""
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
    box_min_m=np.array([0.40, -0.06, 0.15]),  # small: its walls are soon reached
    box_max_m=np.array([0.51, 0.06, 0.26]),
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


ARM, BENT = chain(7)
JACOBIAN = ARM.pose(BENT)[2]
INERTIA = np.eye(7)
REST_NS = 150_000_000
"""Without authority the reference rests after so long, whatever it was doing."""


class Invariant(StrEnum):
    AUTHORITY = "no motion without authority"
    BOX = "the reference stays in the box"
    SPEED = "the speed is limited"
    TORQUE = "the torque is limited"
    TORQUE_RATE = "the torque rate is limited"
    LATCH = "a stop stays latched until it is cleared, and clearing starts nothing"
    OWNER = "one owner"
    SOURCE = "the recorded source is the source that moved the robot"


class InvariantBroken(AssertionError):
    """One of the invariants does not hold."""


def keeps(which: Invariant, held: object) -> None:
    if not held:
        raise InvariantBroken(which)


class Cell(RuleBasedStateMachine):
    """A robot, its lease and three people who do whatever they like, in any order."""

    limits: ArmLimits = LIMITS  # of gate and law
    change_mode: Callable[[ModeState, Event, int], Outcome] = staticmethod(machine.step)
    start_up: Callable[..., ModeState] = staticmethod(machine.initial)
    steps: int  # of all runs of the class, and in how many ticks of which mode it moved
    moved: Counter[Mode]

    def __init_subclass__(cls) -> None:
        cls.steps, cls.moved = 0, Counter()

    @initialize(stopped=FLAG)
    def start(self, stopped: bool) -> None:
        self.now_ns = 0
        self.position = np.array([0.45, 0.0, 0.2])
        self.facing = np.array([0.0, 1.0, 0.0, 0.0])
        self.persisted = machine.Latch(stopped_by="ada" if stopped else None)
        self.modes = machine.initial(0, epoch=1, latch=self.persisted)
        self.lease = LeaseState()
        self.gate = Gate(self.limits, GateSettings(period_s=0.005), self.measured())
        self.law = impedance.law(self.limits, BENT, 0.005)
        self.torque_nm, self.work = np.zeros(7), impedance.scratch()
        self.dq, self.bias, self.lean_m = np.zeros(7), np.zeros(7), np.zeros(3)
        self.sequence, self.message = 0, 0
        self.twist_at_ns: int | None = None
        self.keeps_sending = False  # until anything else is sent
        self.wish = np.zeros(6)
        self.speed = 0.0
        self.without_ns = 0  # for how long nothing has had authority

    def measured(self) -> Measured:
        return Measured(t_robot_ns=self.now_ns, position_m=self.position, quaternion=self.facing)

    def send(self, event: Event) -> None:
        before = self.modes
        self.modes, effects = self.change_mode(before, event, self.now_ns)
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
            by_act = isinstance(event, StartAutonomy | ResumeRequested | Release)
            keeps(Invariant.AUTHORITY, by_act or isinstance(event, ClearRequested))
            keeps(Invariant.OWNER, not isinstance(event, Release) or event.holder == before.holder)
        if before.mode in LATCHED and self.modes.mode not in LATCHED:
            keeps(Invariant.LATCH, isinstance(event, ClearRequested))
            keeps(Invariant.LATCH, self.modes.mode is Mode.IDLE)
        if isinstance(event, machine.StopRequested):
            keeps(Invariant.LATCH, self.modes.mode is Mode.STOPPED)

    def change_lease(self, event: leases.LeaseEvent) -> None:
        before = self.lease
        self.lease, effects = leases.step(before, event, self.now_ns)
        if before.holder is not None and self.lease.holder not in (None, before.holder):
            keeps(Invariant.OWNER, at_rest(self.speed))  # Transfer only at zero velocity.
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
            keeps(Invariant.OWNER, has_lease)
            keeps(Invariant.AUTHORITY, dead_man and round_trip_s <= 0.3)
            self.twist_at_ns = None

    @rule(
        by=PEOPLE,
        age_ns=st.integers(-10_000_000, 350_000_000),
        old_epoch=FLAG,
        wish=SIX,
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
        self.keeps_sending = False
        if admission is Admission.ACCEPTED:
            keeps(Invariant.OWNER, by == self.lease.holder)
            keeps(Invariant.AUTHORITY, 0 <= age_ns <= 300_000_000)
            self.wish, self.twist_at_ns = wish, self.now_ns

    @rule(by=PEOPLE, wish=SIX, ticks=TICKS)
    def drive_as_it_should_be(self, by: str, wish: np.ndarray, ticks: int) -> None:
        """Whoever has the lease, or gets it, takes over and goes on sending one wish."""
        self.clear(by, persists=False)
        self.change_lease(leases.LeaseRequest(by=by))
        holder = self.lease.holder or by
        self.take_over(holder, dead_man=True, round_trip_s=0.02)
        self.drive(holder, 20_000_000, old_epoch=False, wish=wish)
        self.keeps_sending = True
        self.control(ticks, "matching", wish, old=False)

    @rule(by=PEOPLE, delta=SIX, ticks=TICKS, kind=st.sampled_from(["policy", "reset", "rewind"]))
    def move_as_it_should_be(self, by: str, delta: np.ndarray, ticks: int, kind: str) -> None:
        """Policy, reset routine or rewind drives, from wherever people can make it do so."""
        self.clear(by, persists=False)
        if kind == "reset":
            self.reset(by)
        else:
            self.start_autonomy(by)
            self.resume(by)
        if kind == "rewind":
            self.rewind("control")
        self.control(ticks, "matching", delta, old=False)

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

    @rule(by=st.sampled_from([*NAMES, "control"]))
    def rewind(self, by: str) -> None:
        before = self.modes
        self.send(machine.RewindBegun(by=by, cause="An alarm."))
        if self.modes.mode is Mode.REWINDING and before.mode is not Mode.REWINDING:
            allowed = before.mode in (Mode.AUTONOMOUS, Mode.PAUSED) or by == before.holder
            keeps(Invariant.AUTHORITY, allowed)

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
        self.modes = self.start_up(self.now_ns, epoch=self.modes.epoch + 1, latch=self.persisted)
        keeps(Invariant.LATCH, self.modes.mode is (before if before in LATCHED else Mode.IDLE))

    @rule(
        ticks=TICKS,
        kind=st.sampled_from(
            [*["matching"] * 5, "policy", "twist", "home", "rewind", "hold", "none"]
        ),
        delta=SIX,
        old=FLAG,
    )
    def control(self, ticks: int, kind: str, delta: np.ndarray, old: bool) -> None:
        """The control loop runs, with proposals of the right or any other kind."""
        epoch = self.modes.epoch - (old and kind != "matching")
        begin_ns = self.now_ns
        for tick in range(ticks):
            if tick % WINDOW == 0:
                self.sequence, begin_ns = self.sequence + 1, self.now_ns
            if self.keeps_sending and tick % MESSAGE == 0 and self.lease.holder is not None:
                self.drive(self.lease.holder, 20_000_000, False, self.wish)
                self.keeps_sending = True
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
        keeps(Invariant.BOX, (command.position_m >= CELL.box_min_m - 1e-12).all())
        keeps(Invariant.BOX, (command.position_m <= CELL.box_max_m + 1e-12).all())
        keeps(Invariant.BOX, np.isfinite(command.quaternion).all())
        step_m = float(np.linalg.norm(command.position_m - self.position))
        turn_rad = float(np.linalg.norm(rotation.minus(command.quaternion, self.facing)))
        keeps(Invariant.SPEED, step_m <= CELL.speed_m_s * 0.005 * 1.001)
        keeps(Invariant.SPEED, turn_rad <= CELL.angular_speed_rad_s * 0.005 * 1.001)
        owned = self.has_authority(proposal)
        self.without_ns = 0 if owned else self.without_ns + PERIOD_NS
        speed = step_m / 0.005
        keeps(Invariant.AUTHORITY, self.without_ns <= REST_NS or at_rest(speed))
        # The recorded source is the one with the authority, or it is a hold, which slows down.
        if verdict.source is Source.HOLD:
            keeps(Invariant.SOURCE, speed <= self.speed + CELL.acceleration_m_s2 * 0.005)
        else:
            keeps(Invariant.AUTHORITY, owned and verdict.reject is Reject.NONE)
            keeps(Invariant.SOURCE, self.modes.mode is OWNER[verdict.source])
        self.speed = speed
        self.moved[self.modes.mode] += not at_rest(speed)
        self.position, self.facing = command.position_m, command.quaternion
        self.now_ns += PERIOD_NS
        self.choose_torque(command)

    def has_authority(self, proposal: Proposal | None) -> bool:
        """By the words of docs/safety.md, not by the gate's: the mode's own kind, of its epoch."""
        match proposal:
            case PolicyTarget():
                mode = Mode.AUTONOMOUS
            case Twist():
                mode = Mode.TAKEOVER
            case Home():
                mode = Mode.RESETTING
            case Retrace():
                mode = Mode.REWINDING
            case _:
                return False
        return self.modes.mode is mode and proposal.epoch == self.modes.epoch

    def choose_torque(self, command: CartesianTarget) -> None:
        """The law of an arm that is also pushed and shaken."""
        before = self.torque_nm.copy()
        impedance.impedance_torque(
            self.law,
            BENT,
            self.dq,
            JACOBIAN,
            self.position + self.lean_m,
            self.facing,
            command.position_m,
            command.quaternion,
            INERTIA,
            command.hold,
            self.bias,
            before,
            self.work,
            self.torque_nm,
        )
        joints = LIMITS.joints
        step_nm = joints.torque_rate_nm_s * 0.005
        keeps(Invariant.TORQUE, (np.abs(self.torque_nm) <= joints.torque_nm).all())
        keeps(
            Invariant.TORQUE_RATE, (np.abs(self.torque_nm - before) <= step_nm * (1 + 1e-9)).all()
        )

    @rule(dq=SIX, bias_nm=st.sampled_from([0.0, 5.0, 60.0, float("nan")]), lean=SIX)
    def shake(self, dq: np.ndarray, bias_nm: float, lean: np.ndarray) -> None:
        """From now on the arm is measured to move, to weigh and to lean like this."""
        self.dq, self.lean_m = np.append(dq, 0.0), lean[:3]
        self.bias = np.full(7, bias_nm)

    @rule()
    def wait_in_hold(self) -> None:
        """Whatever it was doing, 150 ms of hold bring it to rest."""
        for _ in range(30):
            self.tick(Hold())
        keeps(Invariant.AUTHORITY, at_rest(self.speed))

    @invariant()
    def one_owner(self) -> None:
        driven = self.modes.mode is Mode.TAKEOVER
        keeps(Invariant.OWNER, (self.modes.holder is not None) == driven)
        keeps(Invariant.OWNER, not driven or self.modes.holder == self.lease.holder)

    @invariant()
    def a_stop_is_on_disk(self) -> None:
        stopped = self.persisted.stopped_by is not None
        keeps(Invariant.LATCH, (self.modes.mode is Mode.STOPPED) == stopped)

    @invariant()
    def count(self) -> None:
        type(self).steps += 1
