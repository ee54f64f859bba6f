"""The safety gate: every proposal, from any source, becomes a SafeCommand here or nowhere.

finite and in shape -> fresh, right epoch, right mode -> risk (may only tighten) -> interpolated
goal -> jerk-limited tracking -> workspace box -> clip against the measured pose -> command.
Default is deny: without a valid, fresh, authorised proposal the reference decays to the measured
pose, decelerates with the arm, and rests where the arm has come to stand. An arm outside its
workspace holds too, and only comes back in (`safety.excursion`).

`Gate` is the one mutable object here. Control owns it; time and measurement are passed in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safety import rotation
from safety._seal import SEAL
from safety.admission import judge, judged_risk, risk_allowed, usable_pose
from safety.clips import MovingClips
from safety.command import CartesianTarget
from safety.course import BEND_M_S2, Course
from safety.decay import DECAY_S, FadingLead
from safety.excursion import WorkspaceBrake
from safety.hold import HoldMotion
from safety.joint_space import JointSpace
from safety.limits import ArmLimits, CartesianLimits, LimitError
from safety.measured import Measured
from safety.modes import ModeState
from safety.proposal import Hold, Home, PolicyTarget, Proposal, Retrace, Twist
from safety.seen import SeenPose
from safety.settings import GateSettings
from safety.tracking import SolverError, Tracker
from safety.verdict import Verdict
from safety.vocabulary import MOVING, Limit, Mode, Reject, Source
from safety.window import ActionWindow, begin, in_time

FloatArray = NDArray[np.float64]

HOLD_DECAY_S = 0.06
"""`DECAY_S` at the begin of a hold: a reference that leads goes on pulling while the arm brakes."""

DECAY_M_S2 = 0.9 * BEND_M_S2
"""In a hold a long lead decays slower, so that the course need not bend it and it does not run past
the arm; the rest is for what the reference brakes by meanwhile."""

GRIPPER_THRESHOLD = 0.5
"""A gripper entry beyond plus or minus this opens or closes; in between the gripper stays."""

_GRIPPING = MOVING - {Mode.REWINDING}
"""Modes in which the gripper goes on with its last order."""

_NO_AXES = np.zeros(6, dtype=np.bool_)

SAME_SPEED = 1e-9
"""m/s and rad/s: less than this is rounding."""

FACE_M = 1e-4
"""A reference this close to a face of the workspace box is at it."""

_SOURCE: dict[type[Proposal], Source] = {
    PolicyTarget: Source.POLICY,
    Twist: Source.HUMAN,
    Home: Source.RESET,
    Retrace: Source.REWIND,
    Hold: Source.HOLD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One tick's command and the verdict on the proposal behind it."""

    command: CartesianTarget
    verdict: Verdict


class Gate:
    """State: the tracked reference, the decaying offset, the policy's window, the gripper."""

    def __init__(
        self, limits: ArmLimits, settings: GateSettings, measured: Measured, *, gripper: float = 1.0
    ) -> None:
        if not usable_pose(measured.position_m, measured.quaternion):
            raise LimitError(
                f"The first measured pose, position {measured.position_m} and quaternion "
                f"{measured.quaternion}, is not a pose; the gate starts from a finite one only."
            )
        self.settings = settings
        self.gripper = gripper
        self.gripper_held = True
        self._seen = SeenPose(
            measured.t_robot_ns,
            measured.position_m,
            measured.quaternion,
            speed_m_s=limits.cartesian.speed_m_s,
            turning_rad_s=limits.cartesian.angular_speed_rad_s,
        )
        self.position_m: FloatArray = self._seen.position_m
        self.quaternion: FloatArray = self._seen.quaternion
        self.limits: CartesianLimits = limits.cartesian
        self._widest = self.limits
        self._tracker = Tracker(
            limits.cartesian, settings.period_s, self.position_m, self.quaternion
        )
        self._sequence = 0
        self._window: ActionWindow | None = None
        self._newest: tuple[int, int] | None = None
        self._lead = FadingLead()
        self._course = Course(settings.period_s)
        self._motion = HoldMotion()
        self._blind = False  # no usable pose in this tick
        self._clipped = np.zeros(6, dtype=np.bool_)
        self._workspace = WorkspaceBrake()
        self._clips = MovingClips(self.limits)
        self._joints = JointSpace.of(limits, settings.period_s)
        if self._joints is not None:
            self._joints.begin(measured)

    @property
    def velocity(self) -> FloatArray:
        """Velocity (6,) of the tracked reference, without the decaying offset."""
        return self._tracker.velocity

    def take_over(self, now_ns: int, measured: Measured) -> None:
        """Bumpless change of authority: the window is dropped and the reference decays."""
        self._see(now_ns, measured)
        self._window = None
        self._decay(now_ns)

    def limit_to(self, now_ns: int, limits: CartesianLimits) -> None:
        """Use these limits from now on; what they would loosen stays as at construction.

        Nothing jumps: a speed above the new limit is braked off, an arm outside the new box brakes
        and only comes back in, and the clips pass over to the new ones within `DECAY_S`.
        """
        self.limits = self._widest.tightened(limits)
        self._clips.pass_to(now_ns, self.limits)
        self._tracker.limit_to(self.limits)

    def tick(
        self, now_ns: int, measured: Measured, proposal: Proposal | None, state: ModeState
    ) -> Decision:
        """One control period: the command to send, and what was decided."""
        seen = self._see(now_ns, measured)
        reject, limits = self._admit(now_ns, proposal, state)
        if not seen:
            reject, limits = Reject.MEASUREMENT, limits | Limit.NOT_FINITE
        elif self.unusable is not None:
            reject = Reject.MEASUREMENT
        admitted = Hold() if proposal is None or reject is not Reject.NONE else proposal
        inside = not self._workspace.outside
        if self._workspace.look(self._seen.position_m, self._seen.velocity[:3], self.limits):
            if inside:  # what it still pulls with on the other axes may lever it further out
                self._decay(now_ns, HOLD_DECAY_S)
            admitted, reject = self._come_back(admitted, reject)
            limits |= Limit.EXCURSION
        if state.mode not in _GRIPPING:
            self.gripper_held = True  # until the next order: the last one is void like a chunk
        try:
            limits |= self._steer(now_ns, admitted)
        except SolverError:
            limits |= Limit.SOLVER_FALLBACK
        if self._tracker.accelerating_at_limit:
            limits |= Limit.ACCELERATION
        limits |= self._settle(now_ns)
        verdict = Verdict(source=_SOURCE[type(admitted)], limits=limits, reject=reject)
        return Decision(command=self._seal(now_ns, state.epoch), verdict=verdict)

    @property
    def rests(self) -> bool:
        """It holds, and its reference has come to rest."""
        return self._motion.rests

    @property
    def unusable(self) -> str | None:
        """Why the newest measurement admits no motion: it contradicts the arm's shape."""
        return None if self._joints is None else self._joints.contradiction

    def _see(self, now_ns: int, measured: Measured) -> bool:
        """Accept a usable measurement; otherwise the last usable one stays in force. A pose that is
        one counts whatever the joints say: hold, clip and workspace must know where the arm is.
        """
        self._blind = True
        if not 0 <= now_ns - measured.t_robot_ns <= self.settings.measurement_age_s * 1e9:
            return False
        if not usable_pose(measured.position_m, measured.quaternion):
            return False
        self._seen.see(measured.t_robot_ns, measured.position_m, measured.quaternion)
        self._blind = False
        return self._joints is None or self._joints.see(measured)

    def _admit(
        self, now_ns: int, proposal: Proposal | None, state: ModeState
    ) -> tuple[Reject, Limit]:
        newest = self._newest
        last = newest[1] if newest is not None and newest[0] == state.epoch else None
        reject = judge(proposal, state, last, self.settings, now_ns)
        if reject in (Reject.NOT_FINITE, Reject.SHAPE):
            return reject, Limit.NOT_FINITE
        risk = judged_risk(proposal, self.settings)
        if reject is not Reject.NONE or risk is None:
            return reject, Limit.NONE
        if risk <= risk_allowed(proposal, self.settings):
            return reject, Limit.NONE
        return Reject.RISK, Limit.RISK

    def _come_back(self, admitted: Proposal, reject: Reject) -> tuple[Proposal, Reject]:
        """Outside the workspace: what leads back in, or a hold."""
        if isinstance(admitted, Hold):
            return admitted, reject
        tracker = self._tracker
        back = self._workspace.inward(admitted, tracker.position_m, tracker.quaternion, self.limits)
        return (Hold(), Reject.EXCURSION) if back is None else (back, reject)

    def _steer(self, now_ns: int, proposal: Proposal) -> Limit:
        """Advance the tracked reference by one period."""
        if isinstance(proposal, Hold):
            return self._hold(now_ns)
        if self._motion.active:
            self._resume(proposal)
        if abs(proposal.gripper) > GRIPPER_THRESHOLD:
            self.gripper, self.gripper_held = (1.0 if proposal.gripper > 0.0 else 0.0), False
        match proposal:
            case PolicyTarget():
                return self._follow(now_ns, proposal)
            case Twist():
                return self._drive(proposal.twist)
            case Home() | Retrace():  # pragma: no branch
                return self._approach(
                    proposal.position_m, rotation.normalized(np.array(proposal.quaternion))
                )

    def _hold(self, now_ns: int) -> Limit:
        """Decay to the measured pose and decelerate along with it; stay where the arm stands."""
        self._window = None
        hold = self._motion
        if hold.active and hold.rests:
            return Limit.NONE
        if hold.begin(now_ns, blind=self._blind):
            self._decay(now_ns, HOLD_DECAY_S)
        settled = self._lead.over and self._course.steady
        hold.advance(now_ns, self._tracker, self._seen, settled=settled)
        return Limit.NONE

    def _resume(self, proposal: Proposal) -> None:
        """Leave a hold; an action that comes a little late keeps the lead that has not decayed."""
        late = (
            isinstance(proposal, PolicyTarget)
            and self._newest is not None
            and self._newest[0] == proposal.epoch
        )
        if late and not self._motion.rests:
            self._tracker.move_to(self.position_m, self.quaternion)
            self._lead.drop()
        self._motion.end()

    def _follow(self, now_ns: int, target: PolicyTarget) -> Limit:
        window = self._window
        if window is None or not window.is_of(target):
            window = self._window = self._open(now_ns, target)
            self._newest = (target.epoch, target.sequence)
        return window.limits | self._approach(*window.goal(now_ns, target))

    def _open(self, now_ns: int, target: PolicyTarget) -> ActionWindow:
        last, tracker = self._window, self._tracker
        start_m, start = begin(last, target.epoch, tracker, self._clipped)
        length_ns = target.valid_until_ns - target.valid_from_ns
        delta, limits = self._slowed(target.delta, length_ns * 1e-9)
        return ActionWindow(
            epoch=target.epoch,
            sequence=target.sequence,
            opened_ns=now_ns,
            start_m=start_m,
            start=start,
            delta=in_time(delta, target, now_ns, self.settings.period_s),
            limits=limits,
        )

    def _slowed(self, change: FloatArray, time_s: float) -> tuple[FloatArray, Limit]:
        """A change scaled down, direction kept, to what all axes and joints can do in this time."""
        share = np.abs(change) / (self._tracker.max_velocity * time_s)
        translation, turn = max(1.0, share[:3].max()), max(1.0, share[3:].max())
        limits = Limit.NONE
        if translation > 1.0 or turn > 1.0:
            change = np.concatenate([change[:3] / translation, change[3:] / turn])
            limits = Limit.SPEED
        part = 1.0 if self._joints is None else self._joints.share(change / time_s)
        return (change, limits) if part == 1.0 else (part * change, limits | Limit.JOINT)

    def _approach(self, position_m: FloatArray, quaternion: FloatArray) -> Limit:
        """Track a goal, which is put inside the box first."""
        low, high = self._box(self._tracker.position_m)
        inside = np.minimum(np.maximum(position_m, low), high)
        self._tracker.toward(inside, quaternion)
        return Limit.WORKSPACE if (inside != position_m).any() else Limit.NONE

    def _drive(self, twist: FloatArray) -> Limit:
        """Track a velocity, slowing before a face of the workspace box, to stop there."""
        twist, limits = self._slowed(twist, 1.0)
        tracker = self._tracker
        low, high = self._box(tracker.position_m)
        room = np.where(twist[:3] > 0.0, high - tracker.position_m, tracker.position_m - low)
        tracker.along(twist, room)
        at_wall = (room < FACE_M) & (twist[:3] != 0.0)
        return limits | Limit.WORKSPACE if at_wall.any() else limits

    def _box(self, present_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The workspace, widened to the present reference: outside, one may only come back in.

        An arm that was carried out is not pulled back: it is widened to the measured pose too.
        """
        low = np.minimum(self.limits.box_min_m, present_m)
        high = np.maximum(self.limits.box_max_m, present_m)
        if self._workspace.outside:
            return np.minimum(low, self._seen.position_m), np.maximum(high, self._seen.position_m)
        return low, high

    def _decay(self, now_ns: int, least_s: float = DECAY_S) -> None:
        """Let the reference decay from where it is to the measured pose; velocity is kept."""
        here_m, here = self._seen.at(now_ns)
        turned = rotation.minus(self.quaternion, here)
        lead = np.concatenate([self.position_m - here_m, turned])
        self._lead.begin(lead, least_s, DECAY_M_S2)
        self._tracker.move_to(here_m, here)

    def _settle(self, now_ns: int) -> Limit:
        """The last limits: box, joints, clip against the measured pose, whatever came before."""
        self._clips.move(now_ns)
        limits, tracker, clips = Limit.NONE, self._tracker, self._clips
        offset = self._lead.advance(self.settings.period_s)
        at = tracker.position_m + offset[:3]
        turned = rotation.plus(tracker.quaternion, offset[3:])
        wanted, facing = self._course.toward(self.position_m, self.quaternion, at, turned)
        if wanted is not at:  # The tracker goes on from what can be sent.
            tracker.position_m = wanted - offset[:3]
        if facing is not turned:
            tracker.quaternion = rotation.plus(facing, -offset[3:])
        low, high = self._box(self.position_m)
        inside = np.minimum(np.maximum(wanted, low), high)
        if (inside != wanted).any():
            limits |= Limit.WORKSPACE
            tracker.block(inside - wanted)
        held = _NO_AXES
        if self._joints is not None:
            inside, facing, held, acted = self._by_joints(self._joints, inside, facing)
            limits |= acted
        error = inside - self._seen.position_m
        clipped = np.minimum(np.maximum(error, -clips.clip_m[0]), clips.clip_m[1])
        self._clipped[:3] = clipped != error
        if self._clipped[:3].any():
            limits |= Limit.POSITION_CLIP
            inside = self._seen.position_m + clipped
        if limits:  # The tracker goes on from what was sent, so that nothing winds up.
            tracker.position_m = inside - offset[:3]
        turn = rotation.minus(facing, self._seen.quaternion)
        clipped = np.minimum(np.maximum(turn, -clips.clip_rad[0]), clips.clip_rad[1])
        self._clipped[3:] = clipped != turn
        if self._clipped[3:].any():
            limits |= Limit.ROTATION_CLIP
            facing = rotation.plus(self._seen.quaternion, clipped)
        if self._clipped[3:].any() or held is not _NO_AXES:
            tracker.quaternion = rotation.plus(facing, -offset[3:])
        self._clipped |= held
        if self._clipped.any():
            moved = [inside - self.position_m, rotation.minus(facing, self.quaternion)]
            tracker.hold_back(self._clipped, np.concatenate(moved) / self.settings.period_s)
        self._course.note(self.position_m, self.quaternion, inside, facing)
        self.position_m, self.quaternion = inside, facing
        return limits

    def _by_joints(
        self, joints: JointSpace, wanted_m: FloatArray, wanted: FloatArray
    ) -> tuple[FloatArray, FloatArray, NDArray[np.bool_], Limit]:
        """The pose that the joints allow next, and the axes (6,) on which they held it back."""
        period_s, facing = self.settings.period_s, self.quaternion
        moved = np.concatenate([wanted_m - self.position_m, rotation.minus(wanted, facing)])
        lead = np.concatenate(
            [self.position_m - self._seen.position_m, rotation.minus(facing, self._seen.quaternion)]
        )
        twist = moved / period_s
        # What gives way by translation must be let: a face or a clip would leave the turn alone.
        low, high = self._box(self.position_m)
        clips_m, here_m = self._clips.clip_m, self.position_m
        back_m = np.maximum(low, self._seen.position_m - clips_m[0]) - here_m
        forth_m = np.minimum(high, self._seen.position_m + clips_m[1]) - here_m
        back, forth = np.minimum(back_m, 0.0) / period_s, np.maximum(forth_m, 0.0) / period_s
        moving = not self._motion.active
        allowed, acted = joints.bound(twist, lead, back, forth, moving=moving)
        if allowed is twist:
            return wanted_m, wanted, _NO_AXES, acted
        reached_m = self.position_m + period_s * allowed[:3]
        inside_m = np.minimum(np.maximum(reached_m, low), high)
        held = np.abs(allowed - twist) > SAME_SPEED
        return inside_m, rotation.plus(facing, period_s * allowed[3:]), held, acted

    def _seal(self, now_ns: int, epoch: int) -> CartesianTarget:
        self._sequence += 1
        quaternion = self.quaternion.copy()
        self.position_m.flags.writeable = quaternion.flags.writeable = False
        return CartesianTarget(
            seal=SEAL,
            sequence=self._sequence,
            t_robot_ns=now_ns,
            epoch=epoch,
            valid_until_ns=now_ns + round(self.settings.command_life_s * 1e9),
            position_m=self.position_m,
            quaternion=quaternion,
            clip_m=self._clips.clip_m,
            clip_rad=self._clips.clip_rad,
            gripper=self.gripper,
            gripper_hold=self.gripper_held,
            hold=self._motion.active or self._workspace.leaving,
        )
