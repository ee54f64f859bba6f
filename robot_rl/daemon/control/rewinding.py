"""Going back the way the robot came: who may begin it, what an alarm begins, how it ends.

The robot brakes first, as for any hold, and then retraces its trail at the task's speed, through
the gate like everything else. It ends paused, and a person resumes. The grippers stay as they are.
"""

from collections.abc import Sequence

from robot_rl.config.rewind import RewindSection
from robot_rl.daemon.control import rewind
from robot_rl.daemon.control.arm_watch import fastest
from robot_rl.daemon.control.channel import ArmChannel
from robot_rl.daemon.control.lease import LeaseArbiter
from robot_rl.daemon.control.mode_machine import ModeMachine
from robot_rl.daemon.control.rewind import FORCE_NS, RewindDrive, RewindLeg
from robot_rl.daemon.control.trail import Poses, TcpPose, Trail
from robot_rl.schema.live.robot_command import FromClient
from safety import modes, rotation
from safety.proposal import Hold, Proposal
from safety.standstill import at_rest
from safety.vocabulary import Limit, Mode, Reject, Source

RISK_NS = 500_000_000
"""In which every action is held back for its risk: five decisions of a task with steps of 0.1 s."""

NOTHING = "There is nothing to retrace: the robot has not moved since it left idle, or not safely."

_TRAILED = (Mode.AUTONOMOUS, Mode.TAKEOVER, Mode.PAUSED, Mode.REWINDING)
"""What the robot does in any other mode ends the trail: it is no way back through that."""
_UNSAFE = Limit.FORCE | Limit.RISK | Limit.EXCURSION | Limit.BRAKE | Limit.NOT_FINITE


class Rewinding:
    """State: the trail, the drive along it, and since when there has been an alarm."""

    def __init__(self, settings: RewindSection, machine: ModeMachine, lease: LeaseArbiter) -> None:
        self.settings = settings
        self.trail = Trail()
        self.drive: RewindDrive | None = None  # None: none, or it brakes still
        self._machine, self._lease = machine, lease
        self._why = ""
        self._force_ns: int | None = None
        self._risk_ns: int | None = None

    def request(self, sender: FromClient, now_ns: int) -> str | None:
        """A person wants it."""
        lease = self._lease
        if lease.client not in (None, sender.client_id):
            return f"{lease.user} holds the lease; only {lease.user} may rewind."
        if transfer := lease.transfer_under_way():
            return transfer
        if self._machine.state.mode in modes.REWINDS_FROM and not self._way_back():
            return NOTHING
        return self._begin(sender.user, f"asked for by {sender.user}", now_ns)

    def tick(self, now_ns: int, arms: Sequence[ArmChannel]) -> None:
        """See the arms; begin, advance or end."""
        mode = self._machine.state.mode
        if mode is Mode.AUTONOMOUS:
            self._look_for_alarm(now_ns, arms)
            mode = self._machine.state.mode
        else:
            self._force_ns = self._risk_ns = None
        if self.drive is not None and self.drive.epoch != self._machine.state.epoch:
            self._stop(self.drive, now_ns)  # interrupted, and perhaps begun anew
        if mode is Mode.REWINDING:
            self._advance(now_ns, arms)
        self._follow(now_ns, arms)

    def proposals(self, arms: int) -> list[Proposal]:
        """What each of so many arms is asked for now."""
        return [Hold()] * arms if self.drive is None else self.drive.proposals()

    # ---- the trail ----------------------------------------------------------------------------

    def _follow(self, now_ns: int, arms: Sequence[ArmChannel]) -> None:
        if self._machine.state.mode not in _TRAILED:
            self.trail.clear(now_ns)
        elif self.drive is None and _seen(arms):
            safe = not any(arm.verdict.limits & _UNSAFE for arm in arms)
            moving = not at_rest(fastest(arm.speed_m_s for arm in arms))
            self.trail.follow(now_ns, _measured(arms), moving=moving, safe=safe)

    def _way_back(self) -> tuple[rewind.TrailPoint, ...]:
        return self.trail.way_back(self.settings.distance_m, self.settings.time_s)

    # ---- an alarm -----------------------------------------------------------------------------

    def _look_for_alarm(self, now_ns: int, arms: Sequence[ArmChannel]) -> None:
        """A force that stays too large, or every action held back for its risk."""
        verdicts = [arm.verdict for arm in arms]
        if not _pressed(arms):
            self._force_ns = None
        elif self._force_ns is None:
            self._force_ns = now_ns
        if any(verdict.reject is Reject.RISK for verdict in verdicts):
            self._risk_ns = now_ns if self._risk_ns is None else self._risk_ns
        elif any(verdict.source is Source.POLICY for verdict in verdicts):
            self._risk_ns = None
        if self.settings.on_alarm == "hold":
            return
        if self._force_ns is not None and now_ns - self._force_ns >= FORCE_NS:
            limits_n = (arm.settings.unsafe_force_n for arm in arms)
            limit_n = next((force_n for force_n in limits_n if force_n is not None), None)
            # An arm's driver may have limits of its own, which it does not tell.
            beyond = "too large" if limit_n is None else f"beyond {limit_n:g} N"
            self._alarm(f"the contact force was {beyond}", now_ns)
        elif self._risk_ns is not None and now_ns - self._risk_ns >= RISK_NS:
            self._alarm("every action of the policy was too risky", now_ns)

    def _alarm(self, why: str, now_ns: int) -> None:
        if self._way_back():
            self._begin("control", why, now_ns)
            return
        cause = f"Paused: {why}, and there is nothing to retrace."
        self._machine.apply(modes.PauseRequested(by="control", cause=cause), now_ns, "control")

    # ---- the drive ----------------------------------------------------------------------------

    def _begin(self, by: str, why: str, now_ns: int) -> str | None:
        event = modes.RewindBegun(by=by, cause=f"Rewinds: {why}.")
        refused = self._machine.apply(event, now_ns, by)
        if refused is None:
            self._why = why
        return refused

    def _advance(self, now_ns: int, arms: Sequence[ArmChannel]) -> None:
        drive = self.drive
        if drive is None:
            if _seen(arms) and all(arm.gate.rests for arm in arms):
                self._set_off(now_ns, arms)
            return
        references = tuple(
            TcpPose(position_m=arm.gate.position_m, quaternion=arm.gate.quaternion) for arm in arms
        )
        drive = self.drive = rewind.advance(
            drive,
            references,
            _measured(arms),
            speed_m_s=fastest(arm.speed_m_s for arm in arms),
            force=_pressed(arms),
            now_ns=now_ns,
        )
        if drive.leg is not RewindLeg.BACK:
            self._stop(drive, now_ns)
            self._end(_ENDS[drive.leg].format(done_mm=drive.done_m * 1e3), now_ns)

    def _set_off(self, now_ns: int, arms: Sequence[ArmChannel]) -> None:
        way = self._way_back()
        if not way:  # what it braked on was not safe, and nothing before it is known
            self._end("Nothing was retraced", now_ns)
            return
        self.drive = rewind.begin(
            _measured(arms),
            way,
            speed_m_s=self.settings.speed_m_s,
            epoch=self._machine.state.epoch,
            now_ns=now_ns,
        )

    def _stop(self, drive: RewindDrive, now_ns: int) -> None:
        self.trail.cut(now_ns, drive.back_m)
        self.drive = None

    def _end(self, what: str, now_ns: int) -> None:
        cause = f"{what}: {self._why}."
        self._machine.apply(modes.PauseRequested(by="control", cause=cause), now_ns, "control")


_ENDS = {
    RewindLeg.REACHED: "Went back by {done_mm:.0f} mm",
    RewindLeg.MISSED: "Blocked after {done_mm:.0f} mm of the way back",
    RewindLeg.PRESSED: "Pressed on something after {done_mm:.0f} mm of the way back",
}


def _pressed(arms: Sequence[ArmChannel]) -> bool:
    return any(Limit.FORCE in arm.verdict.limits for arm in arms)


def _seen(arms: Sequence[ArmChannel]) -> bool:
    """Whether all measurements can be used."""
    return all(arm.watch.condition.unusable is None for arm in arms)


def _measured(arms: Sequence[ArmChannel]) -> Poses:
    """At unit length, from which a usable measurement may deviate: an angle is read from it."""
    return tuple(
        TcpPose(
            position_m=arm.arm.position_m,
            quaternion=rotation.normalized(arm.arm.quaternion_wxyz),
        )
        for arm in arms
    )
