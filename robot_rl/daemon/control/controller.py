"""Control's core: one tick takes what is known now and gives the arm's next command.

Time is passed in. Authority says who may move the robot, the chunk plan and the devices say where
to, the gate says what of it is safe, and the step account says what became of it.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hardware.arm import ArmState
from hardware.memory import Record
from robot_rl.daemon.control import home as control_home
from robot_rl.daemon.control.arm_watch import ArmWatch
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.control.chunk import ChunkPlan, PlannedAction
from robot_rl.daemon.control.home import HomeDrive, HomePose, Leg
from robot_rl.daemon.control.operator_input import OperatorInput
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.control.settings import ControlSettings
from robot_rl.daemon.control.window import Driver, StepAccount
from robot_rl.daemon.messages import GoHome, HomeMissed, HomeReached, Intent
from robot_rl.schema import live
from safety import modes
from safety.command import CartesianTarget
from safety.faults import FaultCode
from safety.gate import Gate, Measured
from safety.proposal import Hold, Proposal, Twist
from safety.verdict import Verdict
from safety.vocabulary import Limit, Mode, Reject, Source

type Vector = NDArray[np.float64]

HALF_OPEN_M = 0.04
"""A gripper that moves to less than this, or to nowhere known, counts as closed at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickInput:
    """All that reached control since the last tick. `arm` None: its measurements stopped."""

    now_ns: int
    late_ns: int = 0  # behind the deadline
    arm: ArmState | None
    requests: list[live.FromClient | live.ClientGone] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    drive: Record | None = None  # the newest one, if it is new
    local: Record | None = None
    chunk: Record | None = None  # the newest one, if it is new


@dataclass(frozen=True, slots=True, kw_only=True)
class TickOutput:
    command: CartesianTarget
    verdict: Verdict
    clear_arm: bool
    step_results: list[Record]
    out: Outbound


class Controller:
    """State: authority, gate, plan, the operator's input, account, the drive home."""

    def __init__(
        self,
        settings: ControlSettings,
        mode: modes.ModeState,
        arm: ArmState,
        now_ns: int,
        *,
        lease_epoch: int = 0,
    ) -> None:
        self.settings = settings
        self.authority = Authority(
            mode,
            resumes=settings.resumes,
            unattended_ns=settings.unattended_ns,
            lease_epoch=lease_epoch,
        )
        self.arm = arm
        self._arm_watch = ArmWatch()
        self.gate = Gate(
            settings.limits,
            settings.gate,
            _measured(arm),
            gripper=1.0 if arm.gripper_target_m >= HALF_OPEN_M else 0.0,
        )
        self.plan = ChunkPlan()
        self.operator_input = OperatorInput(settings.remote, settings.local, settings.grid.scale)
        self.account = StepAccount(
            settings.grid, now_ns, self.gate.position_m, self.gate.quaternion
        )
        self.goal = settings.home
        self.following: PlannedAction | None = None
        self.verdict = Verdict(source=Source.HOLD, limits=Limit.NONE, reject=Reject.NONE)
        self._home: HomeDrive | None = None

    @property
    def mode(self) -> Mode:
        return self.authority.mode.mode

    def tick(self, seen: TickInput) -> TickOutput:
        """One control period."""
        now_ns, authority = seen.now_ns, self.authority
        if seen.arm is not None:
            self.arm = seen.arm
        if seen.chunk is not None:
            self.plan.see(seen.chunk)
        planned = self.plan.at(self.account.begins_ns, None)
        results = self.account.close_due(now_ns, planned, self.mode)
        self._look_for_faults(seen)
        self._read_inputs(seen)
        remote = self.operator_input.remote_input(now_ns, authority.lease.state)
        local = self.operator_input.local_input(now_ns)
        authority.tick(now_ns, self.speed_m_s, remote, local)
        out = authority.drain()
        self._apply_effects(out, now_ns)
        self._drive_home(now_ns)
        late = authority.drain()  # a drive home that ended changed the mode
        self._apply_effects(late, now_ns)
        out.extend(late)
        proposal = self._propose(now_ns)
        decision = self.gate.tick(now_ns, _measured(self.arm), proposal, authority.mode)
        self.verdict = Verdict(
            source=decision.verdict.source,
            limits=decision.verdict.limits | Limit(self.arm.limits),
            reject=decision.verdict.reject,
        )
        self.account.note(
            self.verdict,
            0.0 if isinstance(proposal, Hold) else proposal.gripper,
            self.gate.position_m,
            self.gate.quaternion,
            self._driver(),
        )
        return TickOutput(
            command=decision.command,
            verdict=self.verdict,
            clear_arm=out.clear_arm,
            step_results=results,
            out=out,
        )

    @property
    def speed_m_s(self) -> float:
        """Of the measured TCP."""
        return float(np.linalg.norm(self.arm.twist[:3]))

    @property
    def at_home(self) -> bool:
        return control_home.distance_m(self.goal, self.arm) < control_home.REACHED_M

    # ---- what arrived -------------------------------------------------------------------------

    def _look_for_faults(self, seen: TickInput) -> None:
        now_ns, authority = seen.now_ns, self.authority
        # Who is frozen right after a tick is late by a period less than it stood still.
        still_ns = seen.late_ns + round(self.settings.gate.period_s * 1e9)
        if still_ns >= self.settings.freeze_ns:
            authority.fault(FaultCode.CONTROL_FROZEN, now_ns, late_ms=still_ns / 1e6)
        self._arm_watch.look(seen.arm, now_ns)
        if (found := self._arm_watch.fault) is not None:
            authority.fault(found.code, now_ns, **found.details)
        authority.clearing.tick(self._arm_watch.condition, now_ns)

    def _read_inputs(self, seen: TickInput) -> None:
        now_ns, authority = seen.now_ns, self.authority
        if seen.drive is not None:
            self.operator_input.receive_drive(seen.drive, authority, now_ns)
        if seen.local is not None:
            self.operator_input.receive_local(seen.local)
        for message in seen.requests:
            if isinstance(message, live.ClientGone):
                authority.client_gone(message.client_id, now_ns)
                self.operator_input.client_gone(message.client_id)
            else:
                authority.request(message, now_ns, self._arm_watch.condition)
        for intent in seen.intents:
            authority.intent(intent, now_ns)

    def _apply_effects(self, out: Outbound, now_ns: int) -> None:
        """What the mode machine asks of gate and plan."""
        for effect in out.effects:
            match effect:
                case modes.DecayReference():
                    self.gate.take_over(now_ns, _measured(self.arm))
                case modes.DropChunk():
                    self.plan.drop()
                    self.operator_input.reset_shaping()
                case _:
                    pass  # HoldStill: commands of the old epoch are void, so the gate holds
        if out.go_home is not None:
            self.goal = _pose(out.go_home, self.settings.home)
            self._home = control_home.begin(
                self.goal,
                self.gate.position_m,
                self.gate.quaternion,
                epoch=self.authority.mode.epoch,
                now_ns=now_ns,
            )

    # ---- where to -----------------------------------------------------------------------------

    def _drive_home(self, now_ns: int) -> None:
        if self._home is None:
            return
        if self.mode is not Mode.RESETTING:
            self._home = None
            why = "The drive to the start pose was interrupted; begin the reset again."
            self.authority.out.events.append(HomeMissed(why=why, t_ns=now_ns))
            return
        gate = self.gate
        home = control_home.advance(self._home, self.arm, gate.position_m, gate.quaternion, now_ns)
        self._home = home
        if home.leg is Leg.REACHED:
            self._home = None
            self.authority.home_reached(now_ns)
            self.authority.out.events.append(HomeReached(t_ns=now_ns))
        elif home.leg is Leg.MISSED:
            self._home = None
            off_mm = control_home.distance_m(home.goal, self.arm) * 1e3
            self.authority.home_missed(
                f"The arm did not reach its start pose within "
                f"{control_home.TIMEOUT_NS // 10**9} s and is {off_mm:.0f} mm away; look what is "
                "in its way, then begin the reset again.",
                now_ns,
            )

    def _propose(self, now_ns: int) -> Proposal:
        self.following = None
        state = self.authority.mode
        match state.mode:
            case Mode.AUTONOMOUS:
                action = self.following = self.plan.at(now_ns, state.epoch)
                if action is None:
                    return Hold()
                return action.target(self.settings.grid, gripper=self.settings.gripper)
            case Mode.TAKEOVER:
                return self._follow_person(now_ns)
            case Mode.RESETTING if self._home is not None:
                return self._home.proposal()
            case _:
                return Hold()

    def _follow_person(self, now_ns: int) -> Twist | Hold:
        driver = self.authority.takeovers.intervention
        if driver is None:
            return Hold()
        return self.operator_input.twist(
            self.gate.gripper,
            self.arm,
            self.authority.lease.state,
            at_robot=driver.at_robot,
            epoch=self.authority.mode.epoch,
            scale=self.settings.speed_scale,
            round_trip_s=self.authority.lease.round_trip_s,
            gripper_used=self.settings.gripper,
            now_ns=now_ns,
        )

    def _driver(self) -> Driver | None:
        driver, phase = self.authority.takeovers.intervention, self.authority.mode.phase
        if driver is None or phase is None:
            return None
        return Driver(
            intervention_id=driver.intervention_id.bytes, operator=driver.operator, phase=phase
        )


def _measured(arm: ArmState) -> Measured:
    return Measured(t_robot_ns=arm.t_ns, position_m=arm.position_m, quaternion=arm.quaternion_wxyz)


def _pose(wanted: GoHome, home: HomePose) -> HomePose:
    """The start pose an intent asks for; what it leaves open is the task's."""
    return HomePose(
        position_m=home.position_m if wanted.position_m is None else np.array(wanted.position_m),
        quaternion=(
            home.quaternion if wanted.quaternion_wxyz is None else np.array(wanted.quaternion_wxyz)
        ),
        gripper=home.gripper if wanted.gripper is None else float(wanted.gripper),
    )
