"""One arm in control: its measurement, its gate, its way home, its part of the step's account.

Authority, chunk plan and step grid are one for all arms; each arm has one of these.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hardware.arm import ArmState
from robot_rl.daemon.control import home as homes
from robot_rl.daemon.control.arm_watch import ArmWatch, speed_m_s
from robot_rl.daemon.control.handover import HandoverWatch
from robot_rl.daemon.control.home import HomeDrive, HomePose
from robot_rl.daemon.control.settings import ControlledArm
from robot_rl.daemon.control.turns import TurnTrail
from robot_rl.daemon.control.window import ArmAccount
from robot_rl.daemon.messages import HandoverMeasured
from safety.command import CartesianTarget
from safety.gate import Gate, Measured
from safety.modes import ModeState
from safety.profile import apply_all
from safety.proposal import Hold, PolicyTarget, Proposal, Twist
from safety.settings import GateSettings
from safety.verdict import Verdict
from safety.vocabulary import Limit, Reject, Source

HALF_OPEN_M = 0.04
"""A gripper that moves to less than this, or to nowhere known, counts as closed at the start."""


class ArmChannel:
    """State: the newest measurement, what is wrong with it, the gate, how the gripper was turned,
    the drive home, what the last change of driver did.
    """

    def __init__(self, settings: ControlledArm, gate: GateSettings, arm: ArmState) -> None:
        self.settings = settings
        self.arm = arm
        self.watch = ArmWatch(settings.name)
        self.gate = Gate(
            settings.limits,
            gate,
            _measured(arm),
            gripper=1.0 if arm.gripper_target_m >= HALF_OPEN_M else 0.0,
        )
        self._turns = TurnTrail(self.gate.quaternion)
        pose = self.gate.position_m, self.gate.quaternion
        self._handovers = HandoverWatch(settings.name, arm, *pose, period_s=gate.period_s)
        self.handover: HandoverMeasured | None = None  # that the last tick completed
        self.goal = settings.home
        self.home: HomeDrive | None = None
        self.account = (
            None
            if settings.columns is None
            else ArmAccount(settings.columns, self.gate.position_m, self.gate.quaternion)
        )
        self.verdict = Verdict(source=Source.HOLD, limits=Limit.NONE, reject=Reject.NONE)

    @property
    def speed_m_s(self) -> float:
        """Of the measured TCP."""
        return speed_m_s(self.arm)

    @property
    def at_home(self) -> bool:
        return homes.distance_m(self.goal, self.arm) < homes.REACHED_M

    def see(self, arm: ArmState | None, now_ns: int) -> None:
        """This tick's measurement; None: it did not arrive."""
        if arm is not None:
            self.arm = arm
        self.watch.look(arm, now_ns, self.gate.unusable)

    def take_over(self, now_ns: int) -> None:
        """Authority changed: the reference decays to the measured pose."""
        self.gate.take_over(now_ns, _measured(self.arm))

    def limit_to(self, profiles: Iterable[str], now_ns: int) -> None:
        """From now on these profiles tighten the arm's limits, and no others."""
        mine = [self.settings.profiles[name] for name in profiles]
        self.gate.limit_to(now_ns, apply_all(self.settings.limits.cartesian, mine))

    def go_home(self, goal: HomePose, epoch: int, now_ns: int) -> None:
        """Begin the drive to a start pose, from the present reference."""
        self.goal = goal
        gate = self.gate
        self.home = homes.begin(goal, gate.position_m, gate.quaternion, epoch=epoch, now_ns=now_ns)

    def advance_home(self, now_ns: int) -> None:
        """The next leg of the drive home when this one is done."""
        if self.home is not None and self.home.leg is not homes.Leg.REACHED:
            gate = self.gate
            drive = homes.turning_back(self.home, self._turns.back())
            self.home = homes.advance(drive, self.arm, gate.position_m, gate.quaternion, now_ns)

    def tick(self, now_ns: int, proposal: Proposal, mode: ModeState) -> CartesianTarget:
        """What the gate makes of a proposal; the arm's own limits count as well."""
        decision = self.gate.tick(now_ns, _measured(self.arm), proposal, mode)
        self._turns.follow(self.gate.quaternion)
        said = self.verdict = decision.verdict
        position_m, quaternion = self.gate.position_m, self.gate.quaternion
        self.handover = self._handovers.tick(
            now_ns, self.arm, said.source, mode.epoch, position_m, quaternion
        )
        limits = said.limits | Limit(self.arm.limits)
        force_n = self.settings.unsafe_force_n
        if force_n is not None and math.hypot(*self.arm.wrench[:3].tolist()) > force_n:
            limits |= Limit.FORCE
        if limits != said.limits:
            self.verdict = Verdict(source=said.source, limits=limits, reject=said.reject)
        if self.account is not None:
            gripper = 0.0 if isinstance(proposal, Hold) else proposal.gripper
            admitted = said.reject is Reject.NONE
            asked = _asked(proposal, self.gate.settings.period_s) if admitted else None
            self.account.note(said.source, gripper, position_m, quaternion, asked)
        return decision.command


def _asked(proposal: Proposal, period_s: float) -> NDArray[np.float64] | None:
    """(6,) m and rad that a proposal asks for in one tick; None: it stands, or goes home."""
    match proposal:
        case PolicyTarget():
            window_s = (proposal.valid_until_ns - proposal.valid_from_ns) * 1e-9
            return proposal.delta * (period_s / window_s)
        case Twist():
            return proposal.twist * period_s
        case _:
            return None


def _measured(arm: ArmState) -> Measured:
    return Measured(
        t_robot_ns=arm.t_ns,
        position_m=arm.position_m,
        quaternion=arm.quaternion_wxyz,
        q_rad=arm.q_rad,
        jacobian=arm.jacobian,
    )
