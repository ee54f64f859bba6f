"""Control's core: one tick takes what is known now and gives each arm's next command.

Time is passed in. Authority says who may move the robot, the chunk plan and the devices say where
to, the gate of each arm says what of it is safe, and the step account says what became of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hardware.arm import ArmState
from hardware.memory import Record
from robot_rl.daemon.control import home as control_home
from robot_rl.daemon.control.arm_watch import ArmCondition, fastest
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.control.channel import ArmChannel
from robot_rl.daemon.control.chunk import ChunkPlan, PlannedAction
from robot_rl.daemon.control.home import HomePose, Leg
from robot_rl.daemon.control.operator_input import OperatorInput
from robot_rl.daemon.control.outbound import Outbound
from robot_rl.daemon.control.sentences import CLEAR_OVERTAKEN
from robot_rl.daemon.control.settings import ControlSettings
from robot_rl.daemon.control.window import PRECEDENCE, Driver, StepAccount
from robot_rl.daemon.messages import GoHome, HomeMissed, HomeReached, Intent
from robot_rl.daemon.topics import NO_ARM
from robot_rl.schema.live.robot_command import ClientGone, FromClient
from safety import modes
from safety.command import CartesianTarget
from safety.faults import FaultCode
from safety.proposal import Hold, Proposal, Twist
from safety.vocabulary import LATCHED, Limit, Mode, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class TickInput:
    """All that reached control since the last tick. An arm that is None: its measurements
    stopped.
    """

    now_ns: int
    late_ns: int = 0  # behind the deadline
    arms: Sequence[ArmState | None]  # in the order of the cell
    requests: list[FromClient | ClientGone] = field(default_factory=list)
    void: list[FromClient] = field(default_factory=list)  # clears from before a stop
    intents: list[Intent] = field(default_factory=list)
    drive: Record | None = None  # the newest one, if it is new
    local: Record | None = None
    chunk: Record | None = None  # the newest one, if it is new


@dataclass(frozen=True, slots=True, kw_only=True)
class TickOutput:
    commands: tuple[CartesianTarget, ...]  # one for each arm
    clear_arms: bool
    step_results: list[Record]
    out: Outbound


class Controller:
    """State: authority, plan, the operator's input, account, and a channel for each arm."""

    def __init__(
        self,
        settings: ControlSettings,
        mode: modes.ModeState,
        arms: Sequence[ArmState],
        now_ns: int,
        *,
        lease_epoch: int = 0,
        pressed: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.authority = Authority(
            mode,
            resumes=settings.resumes,
            unattended_ns=settings.unattended_ns,
            lease_epoch=lease_epoch,
            profiles=settings.profiles,
            pressed=pressed,
            rewind=settings.rewind,
        )
        self.channels = tuple(
            ArmChannel(each, settings.gate, arm)
            for each, arm in zip(settings.arms, arms, strict=True)
        )
        self.plan = ChunkPlan()
        self.operator_input = OperatorInput(
            settings.remote,
            settings.local,
            settings.grid.arms[0].scale,
            local_arm=settings.local_arm,
        )
        accounts = (channel.account for channel in self.channels)
        self.account = StepAccount(
            settings.grid, now_ns, [account for account in accounts if account is not None]
        )
        self.following: PlannedAction | None = None
        self._followed: PlannedAction | None = None  # that moved arms first in the present window
        self.source, self.limits = Source.HOLD, Limit.NONE  # of all arms, in the last tick
        self._condition = ArmCondition()
        self._profiles: tuple[str, ...] = ()  # those that the gates have been told
        self._tighten(now_ns)

    @property
    def mode(self) -> Mode:
        return self.authority.mode.mode

    def tick(self, seen: TickInput) -> TickOutput:
        """One control period."""
        now_ns, authority = seen.now_ns, self.authority
        if seen.chunk is not None:
            self.plan.see(seen.chunk)
        results = self._close_due(now_ns)
        self._look_for_faults(seen)
        self._read_inputs(seen)
        remote = self.operator_input.remote_input(now_ns, authority.lease.state)
        local = self.operator_input.local_input(now_ns)
        authority.tick(now_ns, self.speed_m_s, remote, local)
        out = authority.drain()
        self._apply_effects(out, now_ns)
        self._drive_home(now_ns)
        authority.rewinding.tick(now_ns, self.channels)
        late = authority.drain()  # a drive that ended, or an alarm, changed the mode
        self._apply_effects(late, now_ns)
        out.extend(late)
        commands = self._command(now_ns)
        over = (channel.handover for channel in self.channels)
        out.events += [account for account in over if account is not None]
        return TickOutput(
            commands=commands, clear_arms=out.clear_arm, step_results=results, out=out
        )

    def _close_due(self, now_ns: int) -> list[Record]:
        """Results of windows that ended. The policy's proposal is the action that moved arms in the
        window first; where none did, what the newest chunk wanted at its beginning.
        """
        if not self.account.due(now_ns):
            return []
        planned = self._followed or self.plan.at(self.account.begins_ns, None)
        self._followed = None
        return self.account.close_due(now_ns, planned, self.mode)

    @property
    def speed_m_s(self) -> float:
        """Of the fastest TCP, as measured."""
        return fastest(channel.speed_m_s for channel in self.channels)

    @property
    def at_home(self) -> bool:
        return all(channel.at_home for channel in self.channels)

    def _command(self, now_ns: int) -> tuple[CartesianTarget, ...]:
        """Each arm's proposal through its gate, and into the account."""
        self._tighten(now_ns)
        commands: list[CartesianTarget] = []
        driver, mode = self._driver(), self.authority.mode
        proposals = self._propose(now_ns)
        for channel, proposal in zip(self.channels, proposals, strict=True):
            commands.append(channel.tick(now_ns, proposal, mode))
            self.account.note(channel.verdict, driver)
        first, *others = [channel.verdict for channel in self.channels]
        self.source, self.limits = first.source, first.limits
        if others:
            sources = {first.source, *(verdict.source for verdict in others)}
            self.source = next((source for source in PRECEDENCE if source in sources), Source.HOLD)
            for verdict in others:
                self.limits |= verdict.limits
        if self._followed is None and self.source is Source.POLICY:
            self._followed = self.following
        return tuple(commands)

    def _tighten(self, now_ns: int) -> None:
        """The limit profiles that are active now count for every arm."""
        active = self.authority.profiles.active
        if active != self._profiles:
            self._profiles = active
            for channel in self.channels:
                channel.limit_to(active, now_ns)
        self.account.note_profiles(active)

    # ---- what arrived -------------------------------------------------------------------------

    def _look_for_faults(self, seen: TickInput) -> None:
        now_ns, authority = seen.now_ns, self.authority
        # Who is frozen right after a tick is late by a period less than it stood still.
        still_ns = seen.late_ns + round(self.settings.gate.period_s * 1e9)
        if still_ns >= self.settings.freeze_ns:
            authority.fault(FaultCode.CONTROL_FROZEN, now_ns, late_ms=still_ns / 1e6)
        for channel, arm in zip(self.channels, seen.arms, strict=True):
            stopped = channel.watch.condition.stopped
            channel.see(arm, now_ns)
            if stopped is None and (why := channel.watch.condition.stopped) is not None:
                # A clear that is under way was for what had stopped before.
                authority.clearing.void(
                    f"An arm stopped before the robot was cleared: {why}", now_ns
                )
            if (found := channel.watch.fault) is not None:
                authority.fault(found.code, now_ns, **found.details)
        self._condition = ArmCondition.of_all(each.watch.condition for each in self.channels)
        authority.clearing.tick(self._condition, now_ns)

    def _read_inputs(self, seen: TickInput) -> None:
        now_ns, authority = seen.now_ns, self.authority
        if seen.drive is not None:
            self.operator_input.receive_drive(seen.drive, authority, now_ns)
        if seen.local is not None:
            self.operator_input.receive_local(seen.local)
        for message in seen.requests:
            if isinstance(message, ClientGone):
                authority.client_gone(message.client_id, now_ns)
                self.operator_input.client_gone(message.client_id)
            else:
                authority.request(message, now_ns, self._condition)
        for sender in seen.void:
            authority.out.answer(sender, CLEAR_OVERTAKEN, now_ns)
        for intent in seen.intents:
            authority.intent(intent, now_ns)

    def _apply_effects(self, out: Outbound, now_ns: int) -> None:
        """What the mode machine asks of gates and plan."""
        for effect in out.effects:
            match effect:
                case modes.DecayReference():
                    for channel in self._to_decay():
                        channel.take_over(now_ns)
                case modes.DropChunk():
                    self.plan.drop()
                    self.operator_input.reset_shaping()
                case _:
                    pass  # HoldStill: commands of the old epoch are void, so the gate holds
        if out.go_home is not None:
            for channel in self.channels:
                goal = _pose(out.go_home, channel.settings.home)
                channel.go_home(goal, self.authority.mode.epoch, now_ns)

    def _to_decay(self) -> list[ArmChannel]:
        """Whose references decay to the measured pose. A takeover or a clear concerns the arms that
        are driven, move or brake: one that rests under load would sag a little more each time.
        """
        if len(self.channels) == 1 or self.mode not in (Mode.TAKEOVER, *LATCHED):
            return list(self.channels)
        takeovers = self.authority.takeovers
        driver, driven = takeovers.intervention, NO_ARM
        if driver is not None:
            driven = self.operator_input.driven_arm(takeovers.releases, at_robot=driver.at_robot)
        return [
            channel
            for number, channel in enumerate(self.channels)
            if number == driven or not channel.gate.rests or channel.watch.condition.stopped
        ]

    # ---- where to -----------------------------------------------------------------------------

    def _drive_home(self, now_ns: int) -> None:
        """Every arm drives at the same time; the robot is at home when all of them are."""
        drives = [channel for channel in self.channels if channel.home is not None]
        if not drives:
            return
        if self.mode is not Mode.RESETTING:
            self._end_drives()
            why = "The drive to the start pose was interrupted; begin the reset again."
            self.authority.out.events.append(HomeMissed(why=why, t_ns=now_ns))
            return
        for channel in drives:
            channel.advance_home(now_ns)
        legs = [channel.home.leg for channel in drives if channel.home is not None]
        if all(leg is Leg.REACHED for leg in legs):
            self._end_drives()
            self.authority.home_reached(now_ns)
            self.authority.out.events.append(HomeReached(t_ns=now_ns))
        elif Leg.MISSED in legs:
            missed = drives[legs.index(Leg.MISSED)]
            self._end_drives()
            off_mm = control_home.distance_m(missed.goal, missed.arm) * 1e3
            self.authority.home_missed(
                f"{missed.watch.called} did not reach its start pose within "
                f"{control_home.TIMEOUT_NS // 10**9} s and is {off_mm:.0f} mm away; look what is "
                "in its way, then begin the reset again.",
                now_ns,
            )

    def _end_drives(self) -> None:
        for channel in self.channels:
            channel.home = None

    def _propose(self, now_ns: int) -> list[Proposal]:
        """What each arm is asked for now."""
        self.following = None
        state = self.authority.mode
        match state.mode:
            case Mode.AUTONOMOUS:
                self.following = self._due(now_ns)
                return self._follow_policy(self.following, now_ns)
            case Mode.TAKEOVER:
                return self._follow_person(now_ns)
            case Mode.RESETTING:
                homes = [channel.home for channel in self.channels]
                return [Hold() if home is None else home.proposal() for home in homes]
            case Mode.REWINDING:
                return self.authority.rewinding.proposals(len(self.channels))
            case _:
                return [Hold()] * len(self.channels)

    def _due(self, now_ns: int) -> PlannedAction | None:
        """What the policy wants now. An action that moves arms stays until its window ends: a chunk
        that comes meanwhile is for the next one. One that the gates refuse gives way at once.
        """
        newest = self.plan.at(now_ns, self.authority.mode.epoch)
        moving = self._followed
        if newest is None or moving is None or self.source is not Source.POLICY:
            return newest
        same = moving.valid_from_ns == newest.valid_from_ns
        return moving if same and self.plan.stands(moving, now_ns, newest.epoch) else newest

    def _follow_policy(self, action: PlannedAction | None, now_ns: int) -> list[Proposal]:
        """While an arm is not measured, the others hold too: half an action is none. Its own
        proposal goes on to its gate, which refuses it and says why.
        """
        age_ns = self.settings.gate.measurement_age_s * 1e9
        seen = [
            channel.watch.condition.unusable is None and now_ns - channel.arm.t_ns <= age_ns
            for channel in self.channels
        ]
        return [
            self._follow(channel, action) if all(seen) or not own else Hold()
            for channel, own in zip(self.channels, seen, strict=True)
        ]

    def _follow(self, channel: ArmChannel, action: PlannedAction | None) -> Proposal:
        columns = channel.settings.columns
        if action is None or columns is None:
            return Hold()
        return self.plan.target(
            action, columns, step_ns=self.settings.grid.step_ns, gripper=self.settings.gripper
        )

    def _follow_person(self, now_ns: int) -> list[Proposal]:
        """The arm that the person drives; the others hold."""
        proposals: list[Proposal] = [Hold() for _ in self.channels]
        takeovers = self.authority.takeovers
        driver = takeovers.intervention
        if driver is None:
            return proposals
        driven = self.operator_input.driven_arm(takeovers.releases, at_robot=driver.at_robot)
        if 0 <= driven < len(proposals) and self.channels[driven].settings.columns is not None:
            at_robot = driver.at_robot
            proposals[driven] = self._twist(self.channels[driven], now_ns, at_robot=at_robot)
        return proposals

    def _twist(self, channel: ArmChannel, now_ns: int, *, at_robot: bool) -> Twist | Hold:
        return self.operator_input.twist(
            channel.gate.gripper,
            channel.arm,
            self.authority.lease.state,
            at_robot=at_robot,
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


def _pose(wanted: GoHome, home: HomePose) -> HomePose:
    """The start pose an intent asks for; what it leaves open is the task's."""
    return HomePose(
        position_m=home.position_m if wanted.position_m is None else np.array(wanted.position_m),
        quaternion=(
            home.quaternion if wanted.quaternion_wxyz is None else np.array(wanted.quaternion_wxyz)
        ),
        gripper=home.gripper if wanted.gripper is None else float(wanted.gripper),
    )
